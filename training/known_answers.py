"""What a changed graph answers to a bundle's golden pictures, and how far that may be off on another device."""

from pathlib import Path

from edge.bundle import Bundle, Golden, check_graph, fixed_batch
from edge.ports import Model
from edge.predictor import Predictor
from edge.results import ModelRef
from edge.session import open_session
from training.errors import ExportError
from training.quantization import run_literally

TOLERANCE = 0.02
LARGEST_TOLERANCE = 0.2


def model_of(source: Bundle, graph: Path) -> Model:
    """Return a bundle's model with another graph, on the CPU. Raises EdgeError where it does not fit the manifest."""
    session = open_session(graph, device="cpu")
    check_graph(source.manifest, source.labels, session.graph)
    ref = ModelRef(source.manifest.name, source.manifest.version, proven=False)
    return Model(ref, source.digest, Predictor(source), session)


def golden_of(source: Bundle, graph: Path, *, literal: Path) -> list[Golden]:
    """Return the golden pictures whose labels a graph still gives, with how far its probabilities may be off elsewhere.

    The same graph gives other probabilities on another device, since values lie near where rounding turns. How far is
    seen by running ``literal``, the same function in other arithmetic; twice that is allowed, and 0.02 at least. A
    picture that would need more than 0.2, or gets another label so, is left out.

    Raises:
        ExportError: less than half of them are left.
    """
    model = model_of(source, graph)
    kept = []
    for golden in source.manifest.golden:
        image = (source.folder / golden.image).read_bytes()
        found = model.predictor.predict(image, model.session.run)
        outputs = run_literally(literal, model.predictor.prepare(image)[None], batch=fixed_batch(source.manifest) or 1)
        other = model.predictor.finish(outputs[0])
        difference = max(abs(a - b) for a, b in zip(found.probs, other.probs, strict=True))
        tolerance = max(TOLERANCE, round(2 * difference, 3))
        labels = [set((one.label,) if one.selected is None else one.selected) for one in (found, other)]
        if tolerance <= LARGEST_TOLERANCE and all(some == set(golden.expected.labels) for some in labels):
            kept.append(golden.model_copy(update={"tolerance": tolerance}))
    total = len(source.manifest.golden)
    if 2 * len(kept) < total:
        raise ExportError(
            f"{source}: only {len(kept)} of {total} golden pictures keep their labels, whatever the pictures judged by "
            "say; nothing is written"
        )
    return kept
