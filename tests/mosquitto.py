"""Runs a real mosquitto for tests: plain, with passwords or with TLS; it can be killed, frozen and started again."""

import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

BINARY = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
START_S = 10.0

needs_mosquitto = pytest.mark.skipif(BINARY is None, reason="mosquitto is not installed (apt-get install mosquitto)")


def free_port() -> int:
    """Return a TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], object], *, within_s: float = 10.0, what: str = "the condition") -> None:
    """Wait until ``condition`` holds; fail at the deadline."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} did not come about within {within_s} s")
        time.sleep(0.005)


@dataclass(frozen=True)
class Certificates:
    """PEM files: an authority, a broker's certificate for 127.0.0.1 and localhost, a client's certificate."""

    ca: Path
    broker_cert: Path
    broker_key: Path
    client_cert: Path
    client_key: Path


def make_certificates(folder: Path) -> Certificates:
    """Make certificates that are valid for a day with the openssl command."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)

    def openssl(*arguments: str | Path) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=folder)

    authority = "req -x509 -newkey rsa:2048 -nodes -days 1 -addext keyUsage=critical,keyCertSign,cRLSign"
    openssl(*authority.split(), "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.pem")
    purposes = {"broker": "subjectAltName=IP:127.0.0.1,DNS:localhost", "client": "extendedKeyUsage=clientAuth"}
    for name, extra in purposes.items():
        request = f"req -newkey rsa:2048 -nodes -subj /CN={name} -keyout {name}.key -out {name}.csr"
        openssl(*request.split())
        (folder / f"{name}.ext").write_text(extra)
        signing = f"x509 -req -days 1 -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile {name}.ext"
        openssl(*signing.split(), "-out", f"{name}.pem")
    for file in folder.iterdir():
        file.chmod(0o644)  # mosquitto started as root drops to a user of its own
    return Certificates(*(folder / n for n in ("ca.pem", "broker.pem", "broker.key", "client.pem", "client.key")))


@dataclass
class Mosquitto:
    """A broker process on loopback. ``folder`` has its files; ``persistent`` lets sessions survive a kill."""

    folder: Path
    port: int = field(default_factory=free_port)
    users: dict[str, str] = field(default_factory=dict)
    tls: Certificates | None = None
    client_certificates: bool = False
    persistent: bool = False
    extra: Sequence[str] = ()
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Mosquitto":
        """Start and wait until it listens."""
        assert BINARY is not None
        config = self._write()
        self._process = subprocess.Popen(
            [BINARY, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._listens, within_s=START_S, what="mosquitto listening")
        return self

    def _write(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [f"listener {self.port} 127.0.0.1", "max_queued_messages 10000", *self.extra]
        if self.persistent:
            lines += [
                "persistence true",
                f"persistence_location {self.folder}/",
                "autosave_on_changes true",
                "autosave_interval 1",
            ]
        lines += ["user root"] if Path("/root").exists() else []
        lines += self._password_lines() if self.users else ["allow_anonymous true"]
        if self.tls:
            lines += [f"cafile {self.tls.ca}", f"certfile {self.tls.broker_cert}", f"keyfile {self.tls.broker_key}"]
            lines += ["require_certificate true"] if self.client_certificates else []
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(lines) + "\n")
        return config

    def _password_lines(self) -> list[str]:
        passwords = self.folder / "passwords"
        passwords.write_text("".join(f"{user}:{password}\n" for user, password in self.users.items()))
        subprocess.run(["mosquitto_passwd", "-U", str(passwords)], check=True, capture_output=True)
        return ["allow_anonymous false", f"password_file {passwords}"]

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """End the broker at once, as a power cut does; what it had in memory is gone."""
        self._signal(signal.SIGKILL)
        self._reap()

    def freeze(self) -> None:
        """Let the broker hang: connections stand, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen broker go on."""
        self._signal(signal.SIGCONT)

    def reload(self) -> None:
        """Have the broker read its files again."""
        self._signal(signal.SIGHUP)

    def change_password(self, user: str, password: str) -> None:
        """Give a user another password, from the next connection on."""
        self.users[user] = password
        self._password_lines()
        self.reload()

    def revive(self) -> bool:
        """Start the broker again where it has ended by itself, as mosquitto 2.0.11 now and then does at a reload."""
        ended = self._process is not None and self._process.poll() is not None
        if ended:
            self.start()
        return ended

    def stop(self) -> None:
        """End the broker; no error where it does not run."""
        if self._process is not None:
            self.kill()  # a polite end takes mosquitto a tenth of a second, and there is nothing to save

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _reap(self) -> None:
        assert self._process is not None
        self._process.wait(timeout=10)
        self._process = None
