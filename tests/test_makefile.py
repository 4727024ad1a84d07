"""What make says to a person whose machine lacks something, and that it removes only what it made."""

import shutil
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
MAKE = shutil.which("make")

pytestmark = pytest.mark.skipif(MAKE is None, reason="make is not installed")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Return a folder with the Makefile and what its first targets look for."""
    shutil.copy(PROJECT / "Makefile", tmp_path)
    (tmp_path / "constraints").mkdir()
    for name in ("constraints/run-cpu.txt", "constraints/run-gpu.txt", "constraints/dev.txt", "pyproject.toml"):
        (tmp_path / name).touch()
    return tmp_path


def make(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(MAKE), "--no-print-directory", *arguments],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def python(place: Path, script: str) -> str:
    """Return the name of a stand-in for Python that answers as ``script`` says."""
    stand_in = place / "python3"
    stand_in.write_text(f"#!/bin/sh\n{script}\n")
    stand_in.chmod(0o755)
    return "./python3"


def test_without_a_target_make_lists_them(place: Path) -> None:
    """Nothing is installed or started by accident."""
    done = make(place)
    assert done.returncode == 0
    assert [line.split()[1] for line in done.stdout.splitlines()] == [
        "help",
        "run",
        "test",
        "setup",
        "test-azure-live",
        "lint",
        "bench",
        "faults",
        "faults-full",
        "clean",
    ]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 1", "needs Python 3.11 or newer"),
        ('case "$2" in *ensurepip*) exit 1;; esac', "sudo apt-get install python3-venv"),
    ],
    ids=["too old", "without venv"],
)
def test_a_python_that_will_not_do_is_told_with_a_remedy(place: Path, script: str, said: str) -> None:
    """Before anything was made."""
    done = make(place, "run", "DEVICE=cpu", f"PYTHON={python(place, script)}")
    assert done.returncode != 0
    assert said in done.stderr
    assert not (place / ".venv").exists()


def test_clean_spares_what_others_made(place: Path) -> None:
    """The environment and the demo's data go; models and a folder of one's own below var stay."""
    for name in (".venv", "var/demo", "var/daemon", "var/mine", "models/parts"):
        (place / name).mkdir(parents=True)
    assert make(place, "clean").returncode == 0
    assert sorted(path.name for path in place.iterdir() if path.is_dir()) == ["constraints", "models", "var"]
    assert [path.name for path in (place / "var").iterdir()] == ["mine"]
