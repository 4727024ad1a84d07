"""Stands in for the process that talks to Azure: it notes what it is asked and does what a file tells it to.

Run as a program with one argument, a folder: ``script`` in it is a JSON list of ``[what, value]``. Imported, it is how
tests write that file.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class Script:
    """What the process does each time it is asked, and what it was asked; ``folder`` is its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.says()

    @property
    def command(self) -> tuple[str, ...]:
        return (sys.executable, "-S", "-P", __file__, str(self.folder))

    def does(self, *steps: tuple[str, Any]) -> None:
        """Do these steps from now on, one after the other."""
        partial = self.folder / "script.partial"
        partial.write_text(json.dumps(steps))
        partial.replace(self.folder / "script")

    def says(self, *lines: bytes) -> None:
        """Write these lines, and end."""
        self.does(*(("out", line.decode()) for line in lines))

    @property
    def asked(self) -> list[dict[str, Any]]:
        """Every inquiry so far."""
        return [json.loads(note.read_text())["inquiry"] for note in self._notes()]

    @property
    def surroundings(self) -> str:
        """The command lines and environments of all processes so far."""
        return "".join(json.dumps(json.loads(note.read_text())["surroundings"]) for note in self._notes())

    def _notes(self) -> list[Path]:
        return sorted(self.folder.glob("*.note"), key=lambda note: int(note.stem))


def main(folder: Path) -> None:
    """Answer one inquiry."""
    inquiry = json.loads(sys.stdin.readline())
    note = {"inquiry": inquiry, "surroundings": [sys.argv, dict(os.environ)]}
    (folder / "partial").write_text(json.dumps(note))
    (folder / "partial").rename(folder / f"{len(list(folder.glob('*.note')))}.note")
    follow(json.loads((folder / "script").read_text()), inquiry)


def follow(steps: Any, inquiry: Any) -> None:
    """Do one step after the other."""
    for what, value in steps:
        STEPS[what](value, inquiry)


def _out(value: Any, _inquiry: Any) -> None:
    sys.stdout.write(value)
    sys.stdout.flush()


def _copy(value: Any, inquiry: Any) -> None:
    shutil.copytree(value.format(**inquiry), inquiry["into"], dirs_exist_ok=True)


def _leave_child(value: Any, _inquiry: Any) -> None:
    subprocess.Popen(["sleep", str(value)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


STEPS: Mapping[str, Callable[[Any, Any], object]] = {
    "out": _out,
    "err": lambda value, _: sys.stderr.write(value),
    "sleep": lambda value, _: time.sleep(value),
    "exit": lambda value, _: os._exit(value),
    "kill": lambda value, _: os.kill(os.getpid(), value),
    "copy": _copy,
    "hush": lambda value, _: os.close(value),
    "leave child": _leave_child,
    "on": lambda value, inquiry: follow(value.get(inquiry["do"], []), inquiry),
}

if __name__ == "__main__":
    main(Path(sys.argv[1]))
