"""The limit of open files, in processes of their own."""

import subprocess
import sys

PROGRAM = """
import logging, resource, sys
from edge.daemon.descriptors import allow_connections
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
soft, hard = map(int, sys.argv[1:3])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
allow_connections(2048)
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def limited(soft: int, hard: int) -> list[str]:
    command = [sys.executable, "-c", PROGRAM, str(soft), str(hard)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    """Many systems begin with 1,024, fewer than the connections that are allowed."""
    assert limited(200, 3000) == ["(3000, 3000)"]


def test_a_limit_that_is_too_low_is_told_with_the_remedy() -> None:
    """The daemon runs with what there is."""
    warning, limits = limited(200, 1000)
    assert warning.startswith("WARNING the process may open 1000 files, too few for http.max_connections = 2048")
    assert "LimitNOFILE=" in warning
    assert limits == "(1000, 1000)"
