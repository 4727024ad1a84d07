"""What a daemon did that it should not have: died, ended badly, wrote a fault of its own to the log."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.daemon import RunningDaemon

SHOWN = 5
ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


def ending(daemon: RunningDaemon, folder: Path) -> list[str]:
    """Stop a daemon that logs to ``folder``; return what it should not have done."""
    died = [] if daemon.process.poll() is None else [f"the daemon died: exit code {daemon.process.returncode}"]
    code = daemon.stop()
    stopped = [] if code == 0 or died else [f"the daemon ended with exit code {code}"]
    return [*died, *stopped, *faults_in(folder / "stderr")]


def faults_in(log_file: Path) -> list[str]:
    """Return every unhandled fault in a log of JSON lines, the same ones counted together.

    Lines that are no JSON come from libraries that write past the log; only a traceback among them counts.
    """
    found = Counter(ADDRESS.sub("0x…", fault) for fault in _faults(log_file.read_text(errors="replace")))
    return [f"the log has {count} x {fault}" for fault, count in found.most_common(SHOWN)]


def _faults(log: str) -> Iterator[str]:
    for line in log.splitlines():
        if line.startswith("{"):
            yield from _in_record(line)
        elif "Traceback" in line or "Fatal Python error" in line:
            yield line[:200]


def _in_record(line: str) -> Iterator[str]:
    try:
        record: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        yield f"a line that is no JSON: {line[:200]}"
        return
    for error in record.get("exception") or ():
        frames = error.get("frames") or [{}]
        yield f"{record['event']}: {error.get('exc_type')}: {error.get('exc_value')} in {frames[-1].get('name')}"
