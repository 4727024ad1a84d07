"""Memory that a step frees stays with the process, for the next step."""

import subprocess
import sys

import pytest

WATCHED = """
import ctypes, pathlib, sys
from training.local.allocator import keep_freed_memory
if sys.argv[1] == "keep" and not keep_freed_memory():
    sys.exit(3)
size = 96 << 20
held = ctypes.create_string_buffer(size)
ctypes.memset(held, 1, size)
del held
pages = int(pathlib.Path("/proc/self/statm").read_text().split()[1])
print(pages * 4096 > size)
"""


@pytest.mark.parametrize(("how", "kept"), [("keep", "True"), ("let go", "False")])
def test_what_is_freed_stays_where_that_is_asked_for(how: str, kept: str) -> None:
    """And goes back to the system where it is not."""
    done = subprocess.run([sys.executable, "-c", WATCHED, how], capture_output=True, text=True, check=False)
    if done.returncode == 3:
        pytest.skip("this C library has no mallopt")
    assert done.stdout.strip() == kept, done.stderr
