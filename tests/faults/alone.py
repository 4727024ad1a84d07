"""``python -m tests.faults.alone NAME FOLDER SEED short|full``: runs one row and writes its tallies to the folder.

Each row has a process of its own: a crash or a hang there ends that row, not the suite.
"""

import json
import signal
import sys
from pathlib import Path
from types import FrameType

from tests.faults import rows
from tests.faults.tally import Scale, Tally

TALLIES = "tallies.json"


def main() -> None:
    """Run what the command line names; a termination request still lets the row tidy up."""
    name, folder, seed, form = sys.argv[1:]
    signal.signal(signal.SIGTERM, end)
    work = Path(folder) / "work"
    work.mkdir()
    found = rows.row(name).run(Scale(form == "full", int(seed), work))
    tallies = [found] if isinstance(found, Tally) else found
    (Path(folder) / TALLIES).write_text(json.dumps([tally.as_json() for tally in tallies]))


def end(number: int, _frame: FrameType | None) -> None:
    """End the process so that everything it has opened is closed."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
