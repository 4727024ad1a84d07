"""The systemd unit: understood as a whole, hardened, and in step with the daemon."""

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from edge.config import load
from edge.config.environment import known_variables
from edge.daemon.progress import STUCK_S

UNIT = Path(__file__).parents[2] / "docker" / "systemd" / "automl-edge.service"
ANALYZE = shutil.which("systemd-analyze")
WORST_EXPOSURE = 2.0
"""By `systemd-analyze security`: 0 is closed to everything, 10 open."""

needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed (apt-get install systemd)")


def settings() -> dict[str, list[str]]:
    found = defaultdict(list)
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """Return the unit with a program that is there in place of the daemon's."""
    unit = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/automl-edge/.venv/bin/automl-edge", "/bin/true"))
    return unit


@needs_systemd
def test_systemd_understands_every_line(here: Path) -> None:
    """It exits with 0 whatever it finds, so that what it prints is what counts."""
    done = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", str(here)], capture_output=True, text=True, timeout=60, check=False
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if UNIT.name in line]
    assert said == []


@needs_systemd
def test_verify_would_tell_of_an_unknown_key(here: Path) -> None:
    """Which the test above relies on."""
    here.write_text(here.read_text().replace("ProtectClock=yes", "ProtectClocks=yes"))
    done = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", str(here)], capture_output=True, text=True, timeout=60, check=False
    )
    assert "ProtectClocks" in done.stdout + done.stderr


@needs_systemd
def test_it_is_hardened(here: Path) -> None:
    """By systemd's own measure."""
    command = [str(ANALYZE), "security", "--offline=true", f"--threshold={WORST_EXPOSURE * 10:.0f}", str(here)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-300:]


def test_times_fit_the_daemons() -> None:
    """Time to stop, and a watchdog that is slower than what the daemon itself calls stuck."""
    unit = settings()
    assert unit["Type"] == ["notify"]
    assert float(unit["TimeoutStopSec"][0]) > load(None, {}).daemon.stop_timeout_s
    assert float(unit["WatchdogSec"][0]) > STUCK_S


def test_variables_are_keys_of_the_configuration() -> None:
    """Those in comments, for people to take over, too."""
    named = set(re.findall(r"EDGE_\w+", UNIT.read_text(encoding="utf-8")))
    assert named <= known_variables().keys()
    assert "EDGE_STORAGE__PATH" in named
