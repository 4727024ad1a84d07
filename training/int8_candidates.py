"""Graphs in int8 to choose from: all quantised, or with the layers that suffer most left in floats."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.quantization import Quantizable, run_literally, write_int8

RANKED_ON = 8
"""Pictures that show what quantising a layer alone changes."""
IN_FLOAT = (1, 2, 4, 8, 16)
"""How many of the most sensitive layers are left in floats, one after the other, until no more is lost than allowed."""

Inputs = NDArray[np.float32]
Watch = Callable[[str, int, int], object]
"""Hears how many of how many are done of what."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A graph in the wanted precision, and what tells it from others: the layers left in floats."""

    path: Path
    in_float: tuple[str, ...] = ()


def int8_candidates(ready: Quantizable, inputs: Inputs, work: Path, watch: Watch) -> Iterator[Candidate]:
    """Yield graphs to judge, one after the other in one place: all quantised, then ever more layers in floats.

    ``inputs`` float32 [n, 3, height, width] are those that calibrate. Raises ExportError.
    """
    path = work / "candidate.onnx"
    write_int8(ready, path)
    yield Candidate(path)
    ranked = ranked_layers(ready, inputs[:RANKED_ON], work, watch)
    for count in (count for count in IN_FLOAT if count < len(ranked)):
        write_int8(ready, path, in_float=ranked[:count])
        yield Candidate(path, tuple(ranked[:count]))


def ranked_layers(ready: Quantizable, inputs: Inputs, work: Path, watch: Watch) -> list[str]:
    """Return the layers with weights, first the one that alone changes the logits most, of few pictures."""
    batch, path = len(ready.batches[0]), work / "alone.onnx"
    expected = run_literally(ready.path, inputs, batch=batch)
    few = replace(ready, batches=ready.batches[: max(1, RANKED_ON // batch)], method="minmax")
    changes: dict[str, float] = {}
    for done, name in enumerate(ready.weighted, 1):
        write_int8(few, path, only=name)
        changes[name] = float(np.abs(run_literally(path, inputs, batch=batch) - expected).mean())
        watch("ranking layers", done, len(ready.weighted))
    return sorted(changes, key=lambda name: -changes[name])
