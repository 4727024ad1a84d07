"""Proves a bundle on this very device: its golden pictures go the whole path, and their known answers must come out.

They go singly and then together in batches, so that a graph whose rows depend on each other is found out. A bundle
without golden pictures loads, but is not proven, and says so wherever it shows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.bundle import Bundle, Golden, check_graph, check_runnable, fixed_batch, open_bundle
from edge.errors import InferenceError, InputError, ModelInvalidError
from edge.ports import Model, Session
from edge.predictor import OutputsF32, Predictor, TensorF32
from edge.preprocess.decode import MAX_PIXELS
from edge.results import Classification, ModelRef
from edge.session import Device, open_session

MAX_BATCH = 4
"""The largest batch that golden pictures are run in where any size goes: enough to see rows depend on each other."""


@dataclass(frozen=True, slots=True)
class Check:
    """One golden picture in one batch size: what was to come and what came.

    ``difference`` is the largest difference of any probability (0..1), None where no probabilities are known.
    """

    image: str
    batch: int
    expected: frozenset[str]
    found: frozenset[str]
    difference: float | None
    tolerance: float

    @property
    def problem(self) -> str | None:
        """What is wrong, or None."""
        where = f"golden picture {self.image}" + (f" in a batch of {self.batch}" if self.batch > 1 else "")
        if self.found != self.expected:
            return f"{where}: expected {_listed(self.expected)}, found {_listed(self.found)}"
        if self.difference is not None and self.difference > self.tolerance:
            return (
                f"{where}: a probability is off by {self.difference:.4f}, {self.tolerance:g} is allowed "
                f"({_listed(self.expected)} was found as expected)"
            )
        return None


@dataclass(frozen=True, slots=True)
class Proof:
    """What proving found. ``proven`` is False only for a bundle without golden pictures."""

    proven: bool
    checks: tuple[Check, ...]

    @property
    def difference(self) -> float | None:
        """The largest difference of any probability from its known value, None where none is known."""
        return max((check.difference for check in self.checks if check.difference is not None), default=None)


def prove(bundle: Bundle, predictor: Predictor, session: Session, *, briefly: bool = False) -> Proof:
    """Run the golden pictures through the whole path on the session's device; ``briefly`` the first one alone.

    Raises ModelInvalidError naming every picture whose answer is not the known one, or which cannot be answered.
    """
    golden = bundle.manifest.golden[:1] if briefly else bundle.manifest.golden
    tensors = [_prepared(bundle, one, predictor) for one in golden]
    try:
        checks = [
            _compared(one, size, predictor.finish(outputs))
            for size in (_batch_sizes(bundle, session, len(golden))[: 1 if briefly else None] if golden else ())
            for one, outputs in zip(golden, _run(session, tensors, size), strict=True)
        ]
    except InferenceError as error:
        raise ModelInvalidError(f"{bundle} cannot be proven on {session.provider}: {error}") from error
    problems = [check.problem for check in checks if check.problem is not None]
    if problems:
        raise ModelInvalidError(f"{bundle} fails its proof on {session.provider}: {'; '.join(problems)}")
    return Proof(proven=bool(golden), checks=tuple(checks))


def _prepared(bundle: Bundle, golden: Golden, predictor: Predictor) -> TensorF32:
    try:
        return predictor.prepare((bundle.folder / golden.image).read_bytes())
    except (InputError, OSError) as error:
        raise ModelInvalidError(f"{bundle}: golden picture {golden.image} cannot be read: {error}") from error


def _batch_sizes(bundle: Bundle, session: Session, pictures: int) -> Sequence[int]:
    """Return the sizes to run in: the smallest and a larger one of those that will serve."""
    fixed = fixed_batch(bundle.manifest)
    if fixed is not None:
        return (fixed,)
    if session.batch_sizes:
        return sorted({session.batch_sizes[0], session.batch_sizes[-1]})
    return (1, min(max(pictures, 2), MAX_BATCH))


def _run(session: Session, tensors: Sequence[TensorF32], size: int) -> Iterator[OutputsF32]:
    """Yield each picture's outputs [classes], run ``size`` at a time; the last picture fills the last batch up."""
    for start in range(0, len(tensors), size):
        part = tensors[start : start + size]
        batch = np.stack([*part, *([part[-1]] * (size - len(part)))])
        yield from session.run(batch, alone=size == 1)[: len(part)]


def _compared(golden: Golden, batch: int, found: Classification) -> Check:
    """Compare an answer with the known one: the set of labels, and each probability where it is known."""
    probs = golden.expected.probs
    return Check(
        image=golden.image,
        batch=batch,
        expected=frozenset(golden.expected.labels),
        found=frozenset((found.label,) if found.selected is None else found.selected),
        difference=None if probs is None else max(abs(a - b) for a, b in zip(probs, found.probs, strict=True)),
        tolerance=golden.tolerance,
    )


def _listed(labels: frozenset[str]) -> str:
    return ", ".join(sorted(labels)) or "no label"


def load_model(
    folder: Path,
    *,
    device: Device = "auto",
    threads: int | None = None,
    batch_sizes: Sequence[int] = (1,),
    max_pixels: int = MAX_PIXELS,
) -> Model:
    """Return the model of a bundle's folder: verified, warmed on the device and proven there as far as it can be.

    Raises ModelInvalidError, ModelUnsupportedError, DeviceError.
    """
    bundle = open_bundle(folder)
    model, _ = load_and_prove(bundle, device=device, threads=threads, batch_sizes=batch_sizes, max_pixels=max_pixels)
    return model


def load_and_prove(
    bundle: Bundle,
    *,
    device: Device = "auto",
    threads: int | None = None,
    batch_sizes: Sequence[int] = (1,),
    max_pixels: int = MAX_PIXELS,
    rehearsed_on: str | None = None,
) -> tuple[Model, Proof]:
    """Return the model of a verified bundle and what proving it found; raises as :func:`load_model`.

    ``rehearsed_on`` is the execution provider on which this very bundle was proven just now, on this device and with
    these options: where it is the session's too, one golden picture is enough to see that this session runs right.
    """
    check_runnable(bundle.manifest)
    predictor = Predictor(bundle, max_pixels=max_pixels)
    session = open_session(bundle.model_path, device=device, threads=threads, batch_sizes=batch_sizes)
    check_graph(bundle.manifest, bundle.labels, session.graph)
    proof = prove(bundle, predictor, session, briefly=session.provider == rehearsed_on)
    ref = ModelRef(bundle.manifest.name, bundle.manifest.version, proven=proof.proven)
    return Model(ref, bundle.digest, predictor, session), proof
