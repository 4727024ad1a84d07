"""The process that makes a bundle of AutoML's files, started by :mod:`edge.azureml.made` alone.

A graph that nobody has looked at is loaded here: what crashes or needs all memory takes nobody along. It is an argument
in, and a line of JSON out: nothing wrong, or what.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.errors import EdgeError
from edge.limits import be_modest, die_with, limit_memory

if TYPE_CHECKING:
    from edge.bundle import Manifest

NICENESS = 10


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to make: ``folder`` holds the files as a run's, ``into`` becomes the bundle in one step.

    ``created_at`` (RFC 3339) is the version's, and ``provenance`` plain JSON: the same files make the same bundle, byte
    by byte, whenever that is. ``task`` is what the version's tags say, empty where they do not.
    """

    folder: str
    into: str
    name: str
    version: str
    created_at: str
    task: str
    provenance: Mapping[str, Any]
    parent: int = 0

    def text(self) -> str:
        """Return the process's argument."""
        return json.dumps(asdict(self))


def main(argument: str) -> None:
    """Make what ``argument`` says, and write to what standard output was how it went."""
    recipe = Recipe(**json.loads(argument))
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    die_with(recipe.parent)
    be_modest(NICENESS)
    limit_memory()
    os.write(answers, json.dumps(verdict(recipe)).encode() + b"\n")
    os._exit(0)  # the bundle is there or not: nothing that libraries do at the end can change it


def verdict(recipe: Recipe) -> Mapping[str, str]:
    """Make the bundle; return the error's class and text, or nothing."""
    try:
        make(recipe)
    except EdgeError as error:
        return {"error": type(error).__name__, "reason": str(error)}
    except MemoryError:
        return {
            "error": MemoryError.__name__,
            "reason": "making a bundle of it needs more memory than this device has free",
        }
    return {}


def make(recipe: Recipe) -> None:
    """Make the bundle. Raises as :func:`edge.artifacts.import_artifacts`."""
    # imported late: they take most of this process's start, and are to be loaded as modestly as the model
    from edge.artifacts import ImportOptions, import_artifacts  # noqa: PLC0415 - see above
    from edge.bundle import write_manifest  # noqa: PLC0415 - see above
    from edge.registry.files import disk_errors, partial_folder, place  # noqa: PLC0415 - see above

    into = Path(recipe.into)
    with partial_folder(into.parent) as registry:
        imported = import_artifacts(
            ImportOptions(
                folder=Path(recipe.folder),
                name=recipe.name,
                version=recipe.version,
                registry=registry,
                task=recipe.task or None,  # type: ignore[arg-type]  # a tag: the importer says what it may be
                provenance=recipe.provenance,
            )
        )
        with disk_errors(f"writing {into}"):
            write_manifest(imported.bundle.folder, _timeless(imported.bundle.manifest, recipe))
        place(imported.bundle.folder, into)


def _timeless(manifest: "Manifest", recipe: Recipe) -> "Manifest":
    """Return the manifest without what differs from one making to the next."""
    provenance = {key: value for key, value in manifest.provenance.items() if key != "imported_at"}
    created_at = datetime.fromisoformat(recipe.created_at)
    return manifest.model_copy(update={"created_at": created_at, "provenance": provenance})
