"""The weights of a run: the best ones, as a network again, and all that an unfinished fit goes on from."""

import os
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import torch
from torch import nn

from edge.durable import sync_folder
from training.errors import DataError
from training.local import networks
from training.local.run import BEST_FILE, CHECKPOINT_FILE, PREVIOUS_FILE, Run

SCHEMA = "automl-edge/checkpoint/1"


def write_best(folder: Path, weights: Mapping[str, Any]) -> None:
    """Keep a network's weights, its ``state_dict``, as the best so far. Raises OSError."""
    _write(folder / BEST_FILE, dict(weights))


def load_network(folder: Path, run: Run) -> nn.Module:
    """Return the network with a run's best weights, in eval mode, as it is exported: standardised, mirrored.

    Raises:
        DataError: the folder holds no weights yet, damaged ones, or those of another network.
    """
    path = folder / BEST_FILE
    if not path.exists():
        raise DataError(f"{folder}: no epoch is finished yet; run automl-train fit again to go on")
    recipe = run.recipe
    network = networks.build(recipe.model, len(run.classes), side=recipe.settings.training_crop_size)
    try:
        network.load_state_dict(_read(path))
    except (RuntimeError, TypeError, AttributeError) as exc:
        raise DataError(f"{path}: holds the weights of another network ({exc})") from exc
    network = networks.Standardised(network) if recipe.standardised else network
    return (networks.MirrorAverage(network) if recipe.mirrored else network).eval()


def write_checkpoint(folder: Path, state: Mapping[str, Any]) -> None:
    """Keep what a fit goes on from; the one before is kept too, for the case that this one gets damaged.

    Raises OSError; the one that was there is there then.
    """
    path = folder / CHECKPOINT_FILE
    fresh = path.with_suffix(".new")
    _write(fresh, {"schema": SCHEMA, **state})
    if path.exists():
        path.replace(folder / PREVIOUS_FILE)
    fresh.replace(path)
    sync_folder(folder)


def read_checkpoint(folder: Path, say: Callable[[str], object]) -> dict[str, Any] | None:
    """Return what the last whole checkpoint holds, None where there is none; damaged ones are set aside, and said."""
    there = [path for path in (folder / CHECKPOINT_FILE, folder / PREVIOUS_FILE) if path.exists()]
    for path in there:
        try:
            return _checkpoint(path)
        except DataError as error:
            aside = path.with_suffix(".damaged.pt")
            path.replace(aside)
            say(f"{error}; it is set aside as {aside.name}")
    if there:
        say("there is no whole checkpoint; the fit begins anew")
    return None


def remove_checkpoints(folder: Path) -> None:
    """Remove what only an unfinished fit needs. Raises OSError."""
    for path in folder.glob("*checkpoint*"):
        if ".damaged" not in path.suffixes:
            path.unlink()


def _checkpoint(path: Path) -> dict[str, Any]:
    state = _read(path)
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        raise DataError(f"{path}: is no checkpoint of this trainer")
    return state


class _Sink:
    """A file as torch writes to it; torch turns what the system says into an error of its own, so it is kept here."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.refused: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.refused = error
            raise

    def flush(self) -> None:
        self._file.flush()


def _write(path: Path, content: Any) -> None:
    """Put a content in place; a disk that is full is left as it was. Raises OSError."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb", buffering=0) as file:
            _save(content, file)
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _save(content: Any, file: IO[bytes]) -> None:
    sink = _Sink(file)
    try:
        torch.save(content, sink)  # type: ignore[arg-type]  # it needs no more of a file than this
    except (RuntimeError, OSError) as error:
        raise (sink.refused or error) from error


def _read(path: Path) -> Any:
    """Return what was written; torch does not look at its archives' checksums, so they are looked at here.

    Raises:
        DataError: it is damaged, or cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged:
            raise DataError(f"{path}: is damaged ({damaged})")
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as exc:
        raise DataError(f"{path}: cannot be read ({exc.strerror or exc})") from exc
    except (zipfile.BadZipFile, pickle.UnpicklingError, EOFError, RuntimeError, ValueError, LookupError) as exc:
        raise DataError(f"{path}: is damaged ({_first_line(exc)})") from exc


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
