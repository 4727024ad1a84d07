"""A registry of fake classifiers, a folder of pictures, and a command line to run on them."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.cli import root
from tests.fakes import COLOURS, encoded, make_bundle, picture

NEWER = datetime(2026, 2, 1, tzinfo=UTC)

Cli = Callable[..., Result]


@pytest.fixture
def cli() -> Cli:
    """Run ``automl-edge`` in this process; keywords are environment variables."""
    runner = CliRunner()

    def invoke(*arguments: object, **environ: str) -> Result:
        return runner.invoke(root, [str(argument) for argument in arguments], env=environ, prog_name="automl-edge")

    return invoke


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    """A registry with two versions of ``colours``, the second newer, and nothing else."""
    folder = tmp_path / "models"
    make_bundle(folder / "colours/1")
    make_bundle(folder / "colours/2", version="2", created_at=NEWER)
    return folder


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a picture of each colour, one deeper down, and files that are none."""
    folder = tmp_path / "parts"
    (folder / "deep").mkdir(parents=True)
    for name, colour in COLOURS.items():
        (folder / f"{name}.png").write_bytes(encoded(picture(colour)))
    (folder / "deep/red.JPG").write_bytes(encoded(picture(COLOURS["red"]), "JPEG"))
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_bytes(b"")
    return folder
