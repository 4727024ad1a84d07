"""The folder of a fit: what it is about, how it goes, and the weights that it has learnt so far.

::

    run.json        what is trained on what; written once
    metrics.jsonl   one line an epoch
    best.pt         the weights of the best epoch so far: what becomes a bundle
    checkpoint.pt   all that is needed to go on after a kill; gone when the fit is finished
    previous.checkpoint.pt   the one before, for the case that the last one gets damaged
    fitted.json     how the fit ended; there when it is finished

Whatever is replaced is replaced in one step. Nothing here imports torch.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from edge.durable import replace_file
from training.dataset.records import Record, classes_of, content_hash
from training.errors import DataError
from training.recipe import Recipe, recipe_from

RUN_FILE = "run.json"
METRICS_FILE = "metrics.jsonl"
CHECKPOINT_FILE = "checkpoint.pt"
PREVIOUS_FILE = "previous.checkpoint.pt"
BEST_FILE = "best.pt"
FITTED_FILE = "fitted.json"
FROM_SCRATCH = "from scratch"
SCHEMA = "automl-edge/run/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What is trained on what.

    ``sha256`` is :func:`training.dataset.records.content_hash` over all pictures, trained on or held out. The same run
    gives the same network on the same number of ``threads``; on another the sums differ in their last bits.
    """

    recipe: Recipe
    classes: tuple[str, ...]
    training: tuple[Record, ...]
    held_out: tuple[Record, ...]
    sha256: str
    validation_data_size: float
    threads: int

    @property
    def records(self) -> tuple[Record, ...]:
        """All pictures."""
        return (*self.training, *self.held_out)


@dataclass(frozen=True, slots=True)
class Epoch:
    """How an epoch went. Losses and metrics are means over pictures; ``validation`` is empty where nothing was judged.

    ``validation`` has AutoML's names: the primary metric (``accuracy``, or ``iou`` where the task is multi-label) and
    ``log_loss``; 0..1 but for the loss.
    """

    epoch: int
    seconds: float
    learning_rate: float
    training_loss: float
    training_accuracy: float
    validation: Mapping[str, float] = field(default_factory=dict)


Ending = Literal["ended", "early", "asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """How a fit ended. ``best`` is the epoch whose weights are kept: the best by validation, else the last.

    ``ended``: all epochs are done; ``early``: it got no better; ``asked``: whoever watched had seen enough.
    ``device`` is the one that finished it; ``batch_size`` how many pictures it held at a time, less than asked for
    where memory did not suffice. ``origin`` says where the network's first weights came from.
    """

    best: Epoch
    epochs: tuple[Epoch, ...]
    how: Ending
    device: str = ""
    batch_size: int = 0
    origin: str = FROM_SCRATCH


def write_run(folder: Path, run: Run) -> None:
    """Write ``run.json`` into a folder, which is made. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {
        "schema": SCHEMA,
        "recipe": run.recipe.as_dict(),
        "classes": list(run.classes),
        "training": [_told(record) for record in run.training],
        "held_out": [_told(record) for record in run.held_out],
        "sha256": run.sha256,
        "validation_data_size": run.validation_data_size,
        "threads": run.threads,
    }
    _replace(folder / RUN_FILE, json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def read_run(folder: Path) -> Run:
    """Return the run that a folder holds.

    Raises:
        DataError: it holds none, or one of another version of the trainer.
    """
    path = folder / RUN_FILE
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["schema"] != SCHEMA:
            raise ValueError(f"schema {told['schema']!r}, expected {SCHEMA!r}")
        run = Run(
            recipe=recipe_from(told["recipe"]),
            classes=tuple(told["classes"]),
            training=tuple(map(_record, told["training"])),
            held_out=tuple(map(_record, told["held_out"])),
            sha256=str(told["sha256"]),
            validation_data_size=float(told["validation_data_size"]),
            threads=int(told["threads"]),
        )
        if not set(classes_of(run.records)) <= set(run.classes):
            raise ValueError("a picture has a label that is none of the classes")
    except FileNotFoundError as exc:
        raise DataError(f"{folder}: holds no run of automl-train fit ({RUN_FILE} is missing)") from exc
    except OSError as exc:
        raise DataError(f"{path}: cannot be read ({exc.strerror})") from exc
    except (ValueError, TypeError, LookupError, AttributeError, DataError) as exc:
        raise DataError(f"{path}: is no run of this trainer ({exc})") from exc
    return run


def check_pictures(run: Run) -> None:
    """Make sure that the pictures are those that the run is about, by their content.

    Raises:
        DataError: they have changed, or cannot be read.
    """
    if content_hash(run.records) != run.sha256:
        raise DataError("the pictures have changed since the fit began; put them back, or fit again into another --run")


def write_epochs(folder: Path, epochs: Sequence[Epoch]) -> None:
    """Write all figures so far. Raises OSError."""
    _replace(folder / METRICS_FILE, "".join(json.dumps(asdict(epoch)) + "\n" for epoch in epochs))


def write_fitted(folder: Path, fitted: Fitted) -> None:
    """Note that a fit is finished, and how. Raises OSError."""
    _replace(folder / FITTED_FILE, json.dumps(asdict(fitted), indent=1) + "\n")


def read_fitted(folder: Path) -> Fitted | None:
    """Return how a fit ended, None where it is not finished.

    Raises:
        DataError: it cannot be read.
    """
    path = folder / FITTED_FILE
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        epochs = tuple(Epoch(**epoch) for epoch in told.pop("epochs"))
        return Fitted(**{**told, "best": Epoch(**told["best"]), "epochs": epochs})
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise DataError(f"{path}: cannot be read ({exc.strerror})") from exc
    except (ValueError, TypeError, LookupError, AttributeError) as exc:
        raise DataError(f"{path}: is none of this trainer's ({exc}); remove it to fit again") from exc


def read_epochs(folder: Path) -> list[Epoch]:
    """Return the figures so far.

    Raises:
        DataError: they cannot be read.
    """
    path = folder / METRICS_FILE
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
        epochs = {told["epoch"]: Epoch(**told) for told in map(json.loads, lines)}
    except OSError as exc:
        raise DataError(f"{path}: cannot be read ({exc.strerror})") from exc
    except (ValueError, TypeError, LookupError) as exc:
        raise DataError(f"{path}: holds a line that is none of this trainer's ({exc})") from exc
    return [epochs[number] for number in sorted(epochs)]


def _replace(path: Path, text: str) -> None:
    replace_file(path, text.encode())


def _told(record: Record) -> dict[str, Any]:
    return {"path": str(record.path), "labels": list(record.labels)}


def _record(told: Mapping[str, Any]) -> Record:
    return Record(Path(told["path"]), tuple(told["labels"]))
