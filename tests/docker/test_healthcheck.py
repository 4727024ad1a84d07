"""The images' health check against the real daemon."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.daemon import RunningDaemon, running
from tests.edge.daemon.test_run import register
from tests.mosquitto import free_port, make_certificates, until

CHECK = Path(__file__).parents[2] / "docker" / "healthcheck.py"


def check(port: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", str(CHECK)]
    environment = {"EDGE_HTTP__PORT": str(port)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_a_ready_daemon_is_healthy(tmp_path: Path) -> None:
    """Also where it wants a token: probes need none."""
    register(tmp_path, "1")
    with running(tmp_path, EDGE_HTTP__TOKEN="secret") as daemon:
        done = check(daemon.port)
        assert (done.returncode, '"ready"' in done.stdout) == (0, True)


@contextmanager
def started(folder: Path, **environment: str) -> Iterator[RunningDaemon]:
    daemon = RunningDaemon(folder, **environment)  # type: ignore[arg-type]  # mypy takes them for the named ones too
    try:
        yield daemon
    finally:
        daemon.process.kill()
        daemon.process.wait()


def test_a_daemon_without_a_model_is_not(tmp_path: Path) -> None:
    """The reason is in the output, which `docker inspect` shows."""
    with started(tmp_path) as daemon:
        until(lambda: "problems" in check(daemon.port).stdout, within_s=30, what="an answer")
        assert check(daemon.port).returncode == 1


def test_a_daemon_with_tls_is_asked_over_tls(tmp_path: Path) -> None:
    """Whether its configuration came from the environment or from a file."""
    register(tmp_path, "1")
    made = make_certificates(tmp_path / "tls")
    tls = {"EDGE_HTTP__CERT_FILE": str(made.broker_cert), "EDGE_HTTP__KEY_FILE": str(made.broker_key)}
    with started(tmp_path, **tls) as daemon:
        until(lambda: check(daemon.port).returncode == 0, within_s=30, what="health")


def test_nobody_there_is_unhealthy() -> None:
    """One line, no traceback."""
    done = check(free_port())
    assert done.returncode == 1
    assert done.stdout.startswith("no answer")
    assert done.stderr == ""
