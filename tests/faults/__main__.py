"""``python -m tests.faults [--full] [--row NAME]…``: make every fault in mid traffic and print what was lost: nothing.

Exit code 0 where nothing was lost and nothing was wrong, 1 otherwise.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from bench.report import machine
from tests.faults import rows
from tests.faults.alone import TALLIES, end
from tests.faults.table import PAGE, markdown, page_with, table
from tests.faults.tally import Tally, crashed, from_json

LIMIT_S = {"short": 180.0, "full": 3000.0}
"""Longest that one row may take."""
TIDY_S = 10.0
TAIL_LINES = 12


def main() -> int:
    """Run the rows one after the other, and those that disturb and are disturbed by nobody beside them."""
    signal.signal(signal.SIGTERM, end)
    asked = _arguments()
    names = asked.row or rows.names()
    form = "full" if asked.full else "short"
    tallies: list[Tally] = []
    with ExitStack() as stack:
        beside = {name: stack.enter_context(Running(name, form, asked.seed)) for name in names if rows.beside(name)}
        for name in [*(name for name in names if name not in beside), *beside]:
            row = beside.get(name) or stack.enter_context(Running(name, form, asked.seed))
            tallies += row.tallies()
            print(f"{name}: {row.spent_s:.0f} s", file=sys.stderr, flush=True)
            _save(tallies, asked.output)
    print(table(tallies))
    if asked.page:
        text = f"{_circumstances(asked)}\n\n{markdown(tallies)}"
        PAGE.write_text(page_with(text, PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    return 0 if all(tally.passed for tally in tallies) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--full", action="store_true", help="every count in full; without it, a tenth of each")
    parser.add_argument("--row", action="append", choices=rows.names(), metavar="NAME", help=", ".join(rows.names()))
    parser.add_argument("--seed", type=int, default=1, help="of all that is random (default: 1)")
    parser.add_argument("--output", type=Path, default=Path("faults.json"), help="default: faults.json")
    parser.add_argument("--page", action="store_true", help=f"also write the table into {PAGE.name}")
    return parser.parse_args()


def _circumstances(asked: argparse.Namespace) -> str:
    """Return what the figures depend on."""
    where = machine()
    form = "every count in full" if asked.full else "a tenth of the counts"
    device = f"{where['processor']}, {where['cores']} cores, {where['system']}, Python {where['python']}"
    return f"Seed {asked.seed}, {form}, {where['taken_at']}, on\n{device}."


class Running:
    """A row in a process group of its own, of which nothing stays; its files stay where it failed."""

    def __init__(self, name: str, form: str, seed: int) -> None:
        self._name = name
        self._limit_s = LIMIT_S[form]
        self._began = time.monotonic()
        self._folder = Path(tempfile.mkdtemp(prefix=f"automl-edge-{name}-"))
        command = [sys.executable, "-m", "tests.faults.alone", name, str(self._folder), str(seed), form]
        with (self._folder / "stderr").open("wb") as said:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=said, start_new_session=True)
        self.spent_s = 0.0
        self._over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End whatever the row has left running; once, as another group may have its number later."""
        if self._over:
            return
        self._over = True
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(TIDY_S)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def tallies(self) -> Sequence[Tally]:
        """Wait for the row's end and return what it found."""
        with self:
            ended = self._wait()
        self.spent_s = time.monotonic() - self._began
        tallies = self._found(ended)
        if all(tally.passed for tally in tallies):
            shutil.rmtree(self._folder, ignore_errors=True)
        else:
            print(f"{self._name}: its files and logs stay in {self._folder}", file=sys.stderr)
        return tallies

    def _wait(self) -> str | None:
        """Wait for the row's end; return what was wrong with it."""
        try:
            code = self._process.wait(max(0.0, self._began + self._limit_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            return f"did not end within {self._limit_s:.0f} s"
        return None if code == 0 else f"ended with exit code {code}"

    def _found(self, ended: str | None) -> Sequence[Tally]:
        if ended is None:
            return [from_json(found) for found in json.loads((self._folder / TALLIES).read_text())]
        tail = (self._folder / "stderr").read_text(errors="replace").splitlines()[-TAIL_LINES:]
        print("\n".join([f"{self._name} {ended}:", *tail]), file=sys.stderr)
        return [crashed(rows.row(self._name).TITLE, f"{ended}; {tail[-1] if tail else 'it said nothing'}")]


def _save(tallies: Sequence[Tally], output: Path) -> None:
    output.write_text(json.dumps([tally.as_json() for tally in tallies], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
