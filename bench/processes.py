"""The contenders as child processes: started, waited for until they answer, stopped."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.load import HOST, complete_status, request
from edge.bundle import MANIFEST, Bundle, cropped, open_bundle, read_manifest

START_LIMIT_S = 60.0
STOP_LIMIT_S = 15.0
PREDICT = "/v1/predict"


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers ``POST path`` on ``port``; ``started_s`` is how long its first answer took."""

    pid: int
    port: int
    path: str
    started_s: float


def newest_bundle(registry: Path) -> Bundle:
    """Return the bundle that the daemon takes by itself: the most recently created. Exits where there is none."""
    folders = [manifest.parent for manifest in registry.glob(f"*/*/{MANIFEST}")]
    if not folders:
        sys.exit(f"no model in {registry}: name a folder of models with --registry")
    return open_bundle(max(folders, key=lambda folder: read_manifest(folder).created_at))


@contextmanager
def daemon(registry: Path, picture: bytes, **more: str) -> Iterator[Server]:
    """Run ``automl-edge run`` with its defaults, but for the port, the storage, MQTT (off) and ``more`` settings."""
    with tempfile.TemporaryDirectory() as storage:
        port = free_port()
        settings = {
            "EDGE_REGISTRY__PATH": str(registry),
            "EDGE_STORAGE__PATH": storage,
            "EDGE_HTTP__PORT": str(port),
            "EDGE_MQTT__ENABLED": "false",
            **more,
        }
        command = [sys.executable, "-m", "edge.cli", "run"]
        with _running(command, settings) as (process, log, began):
            _wait_for_answer(process, log, request(PREDICT, picture), port)
            yield Server(process.pid, port, PREDICT, time.perf_counter() - began)


@contextmanager
def plain_server(bundle: Bundle, picture: bytes, *, workers: int = 2) -> Iterator[Server]:
    """Run :mod:`bench.plain_server` under uvicorn."""
    port = free_port()
    preprocessing = cropped(bundle.manifest)
    settings = {
        "BENCH_MODEL": str(bundle.model_path),
        "BENCH_LABELS": str(bundle.folder / bundle.manifest.labels),
        "BENCH_RESIZE": str(preprocessing.resize),
        "BENCH_CROP": str(preprocessing.crop),
    }
    command = [sys.executable, "-m", "uvicorn", "--factory", "bench.plain_server:make_app", "--port", str(port)]
    command += ["--workers", str(workers), "--no-access-log", "--log-level", "warning"]
    with _running(command, settings) as (process, log, began):
        _wait_for_answer(process, log, request("/predict", picture), port)
        yield Server(process.pid, port, "/predict", time.perf_counter() - began)


class InProcess:
    """Talks to :mod:`bench.in_process`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self._line()

    def measure(self, way: str, seconds: float) -> Mapping[str, float]:
        """Return ``per_s`` and ``pictures`` for ``lanes``, ``p50_ms`` for ``alone``."""
        if self._process.stdin is None:
            raise RuntimeError("the process has no standard input")
        self._process.stdin.write(f"{way} {seconds}\n")
        self._process.stdin.flush()
        answer: Mapping[str, float] = json.loads(self._line())
        return answer

    def _line(self) -> str:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise RuntimeError(f"bench.in_process ended with {self._process.wait()}")
        return line


@contextmanager
def in_process(bundle: Bundle) -> Iterator[InProcess]:
    """Run :mod:`bench.in_process`."""
    command = [sys.executable, "-m", "bench.in_process", str(bundle.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield InProcess(process)
        finally:
            process.terminate()


def pss_mib(pid: int) -> float:
    """Return the proportional set size, in MiB, of a process and its children."""
    return sum(_pss_kib(member.pid) for member in _family(pid)) / 1024


def cpu_s(pid: int) -> float:
    """Return the seconds of processor time that a process and its children have used."""
    return sum(sum(member.cpu_times()[:2]) for member in _family(pid))


def _family(pid: int) -> list[psutil.Process]:
    return [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]


def _pss_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


@contextmanager
def _running(
    command: Sequence[str], settings: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], Path, float]]:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "log")
        with log.open("wb") as sink:
            began = time.perf_counter()
            process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=sink, stderr=sink)
        try:
            yield process, log, began
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_for_answer(process: subprocess.Popen[bytes], log: Path, data: bytes, port: int) -> None:
    """Send ``data`` again and again until it is answered with 200."""
    until = time.monotonic() + START_LIMIT_S
    while _status(port, data) != 200:
        if process.poll() is not None or time.monotonic() > until:
            tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise RuntimeError(f"the server gives no answer (exit code {process.poll()}):\n{tail}")
        time.sleep(0.01)


def _status(port: int, data: bytes) -> int | None:
    received = bytearray()
    try:
        with socket.create_connection((HOST, port), timeout=10) as link:
            link.sendall(data)
            while (status := complete_status(received)) is None:
                chunk = link.recv(1 << 16)
                if not chunk:
                    return None
                received += chunk
            return status
    except OSError:
        return None
