"""Runs the real daemon as a process, as a user would, on folders and ports of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.mosquitto import free_port, until

START_S = 30.0
STOP_S = 20.0


class RunningDaemon:
    """One daemon process on ports of its own; standard output and error go to files in ``folder``.

    ``wrapper`` is put before its command. ``port`` is for a daemon that comes back where another was.
    """

    def __init__(
        self,
        folder: Path,
        *,
        config: Path | None = None,
        mqtt: bool = False,
        port: int | None = None,
        wrapper: Sequence[str] = (),
        **environment: str,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port, self.mqtt_port = port or free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._out, self._err = folder / "stdout", folder / "stderr"
        command = [*wrapper, sys.executable, "-m", "edge.cli", "run", *(["-c", str(config)] if config else [])]
        settings = {
            "EDGE_HTTP__PORT": str(self.port),
            "EDGE_MQTT__PORT": str(self.mqtt_port),
            "EDGE_MQTT__ENABLED": str(mqtt).lower(),
            "EDGE_MQTT__DEVICE": "press-7",
            "EDGE_STORAGE__PATH": str(folder / "var"),
            "EDGE_REGISTRY__PATH": str(folder / "models"),
            "EDGE_REGISTRY__POLL_S": "0.1",
        }
        outside = {key: value for key, value in os.environ.items() if not key.startswith("EDGE_")}
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=outside | settings | environment
            )

    @property
    def stdout(self) -> str:
        return self._out.read_text()

    @property
    def stderr(self) -> str:
        return self._err.read_text()

    def until_ready(self, *, within_s: float = START_S) -> "RunningDaemon":
        until(lambda: self.process.poll() is not None or self._ready(), within_s=within_s, what="readiness")
        assert self.process.poll() is None, self.stderr
        return self

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def predict(self, picture: bytes) -> Any:
        answer = httpx.post(f"{self.url}/v1/predict", content=picture)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def status(self) -> Any:
        return httpx.get(f"{self.url}/v1/status").json()

    def logged(self) -> list[Any]:
        return [json.loads(line) for line in self.stderr.splitlines()]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask for a clean stop and return the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(STOP_S)


@contextmanager
def running(folder: Path, **options: Any) -> Iterator[RunningDaemon]:
    """Give a ready daemon; whatever happens, no process stays behind."""
    daemon = RunningDaemon(folder, **options)
    try:
        yield daemon.until_ready()
    finally:
        if daemon.process.poll() is None:
            daemon.process.kill()
        daemon.process.wait(STOP_S)
