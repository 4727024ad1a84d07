"""Threads of torch hardly spin while they wait for each other: on a busy machine a step is several times as quick."""

import os
import subprocess
import sys

import pytest

TOLD = "import training.local, os; print(os.environ['GOMP_SPINCOUNT'])"


@pytest.mark.parametrize(("own", "told"), [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7")])
def test_it_is_told_before_torch_is_loaded(own: dict[str, str], told: str) -> None:
    """Importing the room is enough, and what the user says counts."""
    environment = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"} | own
    done = subprocess.run([sys.executable, "-c", TOLD], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == told


def test_the_room_itself_imports_no_torch() -> None:
    """Or it would be told too late."""
    code = "import sys, training.local; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
