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
from contextlib import suppress
from pathlib import Path

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
    """Run the rows one after the other."""
    signal.signal(signal.SIGTERM, end)
    asked = _arguments()
    form = "full" if asked.full else "short"
    tallies: list[Tally] = []
    for name in asked.row or rows.names():
        began = time.monotonic()
        tallies += run_row(name, form, asked.seed)
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
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


def run_row(name: str, form: str, seed: int) -> Sequence[Tally]:
    """Run one row in a process group of its own, of which nothing stays; its files stay where it failed."""
    folder = Path(tempfile.mkdtemp(prefix=f"automl-edge-{name}-"))
    command = [sys.executable, "-m", "tests.faults.alone", name, str(folder), str(seed), form]
    with (folder / "stderr").open("wb") as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=said, start_new_session=True)
        ended = _wait(process, LIMIT_S[form])
    tallies = _tallies(name, folder, ended)
    if all(tally.passed for tally in tallies):
        shutil.rmtree(folder, ignore_errors=True)
        return tallies
    print(f"{name}: its files and logs stay in {folder}", file=sys.stderr)
    return tallies


def _wait(process: "subprocess.Popen[bytes]", limit_s: float) -> str | None:
    """Wait for a row's end; return what was wrong with it."""
    try:
        code = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        return f"did not end within {limit_s:.0f} s"
    else:
        return None if code == 0 else f"ended with exit code {code}"
    finally:
        _end_group(process)


def _end_group(process: "subprocess.Popen[bytes]") -> None:
    """End whatever the row has left running."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(TIDY_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tallies(name: str, folder: Path, ended: str | None) -> Sequence[Tally]:
    if ended is None:
        return [from_json(found) for found in json.loads((folder / TALLIES).read_text())]
    tail = (folder / "stderr").read_text(errors="replace").splitlines()[-TAIL_LINES:]
    print("\n".join([f"{name} {ended}:", *tail]), file=sys.stderr)
    return [crashed(rows.row(name).TITLE, f"{ended}; {tail[-1] if tail else 'it said nothing'}")]


def _save(tallies: Sequence[Tally], output: Path) -> None:
    output.write_text(json.dumps([tally.as_json() for tally in tallies], indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
