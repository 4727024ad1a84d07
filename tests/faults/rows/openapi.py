"""Schemathesis reads the daemon's own OpenAPI document and asks everything that it allows, and what it forbids."""

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.daemon import running
from tests.faults.footprint import footprint, growth
from tests.faults.logbook import ending
from tests.faults.registered import register
from tests.faults.tally import Scale, Tally

TITLE = "schemathesis over the OpenAPI document"
EXAMPLES = 100
ENDLESS = "/v1/results/stream"
OPINIONS = "positive_data_acceptance,negative_data_rejection"
"""Checks left out: a document can say that a body is bytes or base64, not which of them are a picture."""
TOOL = (sys.executable, "-m", "schemathesis.cli")
CONFIG = '[checks]\nnot_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]\n'
TIMEOUT_S = 900
MEMORY_MIB = 48.0
THREADS = 42
"""Allowed growth of threads: what may block is done by a pool of at most 40, which start when they are first needed."""
TAIL_LINES = 40
GENERATED = re.compile(r"(\d+) generated")


def run(scale: Scale) -> Tally:
    """Let it ask; every answer is what the document promises, and no fault of the server."""
    register(scale.folder, "1")
    with running(scale.folder, EDGE_ROLLOUT__REHEARSE="false") as daemon:
        _ask(daemon.url, scale.folder, "--phases", "examples")  # warms up
        before = footprint(daemon.process.pid)
        extent = ("--seed", str(scale.seed), "--max-examples", str(scale.of(EXAMPLES)))
        asked = _ask(daemon.url, scale.folder, *extent)
        more, after = growth(daemon.process.pid, before, memory_mib=MEMORY_MIB, threads=THREADS)
        problems = [*_failures(asked), *more, *ending(daemon, scale.folder)]
    found = GENERATED.search(asked.stdout)
    count = int(found[1]) if found else 0
    delivered = count if asked.returncode == 0 else 0
    notes = (f"after the warm-up {before}; in the end {after}",)
    tally = Tally(TITLE, times=count, produced=count, delivered=delivered, notes=notes)
    return tally.with_problems(problems if count else [*problems, "schemathesis asked nothing"])


def _ask(url: str, folder: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    config = folder / "schemathesis.toml"
    config.write_text(CONFIG)
    options = {
        "--request-timeout": "20",
        "--exclude-path": ENDLESS,
        "--exclude-checks": OPINIONS,
        "--generation-database": "none",
        "--warnings": "off",
    }
    words = [word for option in options.items() for word in option]
    command = [*TOOL, "--config-file", str(config), "run", f"{url}/openapi.json", *words, *more, "--no-color"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)


def _failures(asked: "subprocess.CompletedProcess[str]") -> list[str]:
    if asked.returncode == 0:
        return []
    tail = "\n".join((asked.stdout + asked.stderr).splitlines()[-TAIL_LINES:])
    return [f"schemathesis ended with exit code {asked.returncode}: {json.dumps(tail)}"]
