"""The name of this run of the system."""

import subprocess
import sys

from edge.boot import boot_id


def test_all_processes_of_one_run_get_the_same_name() -> None:
    """A new one is given only by a restart of the system."""
    asked = [sys.executable, "-c", "from edge.boot import boot_id; print(boot_id())"]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip() == boot_id() != ""
