"""A daemon at a broker, with a recording proxy between, all of which can be hurt and brought back."""

import json
import random
import socket
from collections.abc import Mapping, Sequence, Set
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.daemon import STOP_S, RunningDaemon
from tests.edge.publishers.listener import Listener
from tests.fakes import CREATED_AT, GraphOptions, make_bundle
from tests.faults.ledger import Ledger, read_results
from tests.faults.proxy import RecordingProxy
from tests.faults.tally import Tally
from tests.faults.waiting import comes_true
from tests.mosquitto import Mosquitto, until

DEVICE = "press-7"
ROOT = f"automl-edge/{DEVICE}"
KEEPALIVE_S = 2
DRAIN_S = 60.0
WITNESS_S = 3.0
RESULT_S = 30.0


def steady_port() -> int:
    """Return a free TCP port that no outgoing connection takes while whoever listens there is dead for a moment."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Testbed:
    """Everything on loopback, in ``folder``. ``environment`` is the daemon's, beside what the rest needs.

    The broker keeps its sessions over a kill. ``witness`` is a subscriber with a session of its own, connected to the
    broker itself: what the broker acknowledged and the witness never got, the broker has lost. The daemon keeps its
    folders and ports over all its lives; each life logs to a folder of its own.
    """

    __test__ = False

    def __init__(
        self,
        folder: Path,
        *,
        users: Mapping[str, tuple[str, str]] | None = None,
        storage: Path | None = None,
        wrapper: tuple[str, ...] = (),
        graph: GraphOptions = GraphOptions(),
        environment: Mapping[str, str] = {},
    ) -> None:
        self.folder = folder
        self.inbox = folder / "inbox"
        self.storage = storage or folder / "var"
        self.registry = folder / "models"
        self.environment = dict(environment)
        self.wrapper = wrapper
        self.lives = 0
        self._graph = graph
        self._users = dict(users or {})
        self._port = steady_port()
        self._stack = ExitStack()
        self._daemon: RunningDaemon | None = None

    def __enter__(self) -> "Testbed":
        self.inbox.mkdir(parents=True)
        self.register("1")
        names = dict(self._users.values())
        self.broker = Mosquitto(self.folder / "broker", steady_port(), names, persistent=True).start()
        self._stack.callback(self._stop_broker)
        self.proxy = self._stack.enter_context(RecordingProxy(self.broker.port))
        who = self._users.get("witness")
        self.witness = self._stack.enter_context(Listener(self.broker.port, user=who, client_id="witness"))
        self._stack.callback(self._end_daemon)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def daemon(self) -> RunningDaemon:
        """The daemon's present life."""
        assert self._daemon is not None
        return self._daemon

    @property
    def url(self) -> str:
        """Where the daemon answers in every life."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def http_port(self) -> int:
        """The TCP port of ``url``."""
        return self._port

    def register(self, version: str) -> None:
        """Put a version into the registry at one stroke."""
        staged = self.folder / f"staged-{version}"
        created_at = CREATED_AT + timedelta(days=int(version))
        make_bundle(staged, version=version, created_at=created_at, graph=self._graph)
        target = self.registry / "colours" / version
        target.parent.mkdir(parents=True, exist_ok=True)
        staged.rename(target)

    def start_daemon(self, **environment: str) -> RunningDaemon:
        """Begin a new life, not waiting for readiness."""
        self.lives += 1
        self._daemon = RunningDaemon(
            self.folder / f"life-{self.lives}",
            config=self._config(),
            mqtt=True,
            port=self._port,
            wrapper=self.wrapper,
            **{**self._settings(), **self.environment, **environment},
        )
        return self._daemon

    def kill_daemon(self) -> None:
        """End the daemon as a power cut does."""
        self.daemon.process.kill()
        self.daemon.process.wait(STOP_S)

    def stop_daemon(self) -> int:
        """Stop the daemon cleanly; return its exit code."""
        return self.daemon.stop()

    def status(self) -> Any:
        """Return /v1/status."""
        return self.daemon.status()

    def first_result_s(self, since: float, *, within_s: float = RESULT_S) -> float:
        """Wait for the first result acknowledged after ``since`` (monotonic); return how long after it came."""
        recording = self.proxy.recording
        until(lambda: recording.last_result_at > since, within_s=within_s, what="a result after the fault")
        return recording.first_result_after(since) - since

    def account(
        self, fault: str, times: int, pictures: Set[tuple[str, str]], *, answered_again: Set[str] = frozenset()
    ) -> Tally:
        """Wait until everything is delivered and return what became of the owed ``pictures``.

        ``answered_again`` are sources whose pictures may be answered under another id.
        """
        problems = self.undrained()
        self.settle_witness()
        ledger = self.ledger()
        return Tally(
            fault,
            times=times,
            produced=len(pictures),
            delivered=ledger.delivered(pictures),
            duplicated=ledger.duplicated,
            lost=len(ledger.missing(pictures)),
            lost_by_broker=ledger.lost_by_broker(),
            problems=(*problems, *ledger.problems(may_be_answered_again=answered_again)),
        )

    def settle_witness(self) -> None:
        """Give the witness time to get what the broker has for it."""
        comes_true(lambda: not self.ledger().lost_by_broker(), within_s=WITNESS_S)

    def undrained(self, *, within_s: float = DRAIN_S) -> Sequence[str]:
        """Wait until the folder is emptied, nothing is worked on, the broker has everything; tell where that fails."""
        if comes_true(self._is_idle, within_s=within_s):
            return []
        files = len(list(self.inbox.glob("*.png")))
        try:
            status = self.status()
        except httpx.HTTPError as exc:
            return [f"the daemon does not answer: {exc}"]
        work, waiting = status["execution"]["queued"], status["mqtt"]["outbox"]
        return [f"not empty after {within_s:.0f} s: {files} files, {work} pictures in work, {waiting} in the outbox"]

    def _is_idle(self) -> bool:
        if any(self.inbox.glob("*.png")):
            return False
        try:
            status = self.status()
        except httpx.HTTPError:
            return False
        return bool(status["execution"]["queued"] == 0 and status["mqtt"]["outbox"] == 0)

    def ledger(self) -> Ledger:
        """Return what became of the results so far, as the proxy and the witness saw it."""
        recording = self.proxy.recording
        return Ledger(
            sent=read_results([(noted.message, noted.connection) for noted in list(recording.sent)]),
            acknowledged=read_results([(noted.message, noted.connection) for noted in list(recording.acknowledged)]),
            witnessed=frozenset(message["id"] for message in self.witness.json("/result")),
        )

    def logs(self) -> str:
        """Return what the daemon said in all its lives."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("life-*/stderr")))

    def _config(self) -> Path:
        config = self.folder / "edge.toml"
        config.write_text(
            f'[[source]]\nname = "inbox"\nkind = "folder"\npath = {json.dumps(str(self.inbox))}\n'
            'after = "delete"\npoll_s = 0.02\n'
        )
        return config

    def _settings(self) -> dict[str, str]:
        user = self._users.get("daemon")
        secrets = {"EDGE_MQTT__USERNAME": user[0], "EDGE_MQTT__PASSWORD": user[1]} if user else {}
        return {
            "EDGE_MQTT__HOST": "127.0.0.1",
            "EDGE_MQTT__PORT": str(self.proxy.port),
            "EDGE_MQTT__DEVICE": DEVICE,
            "EDGE_MQTT__KEEPALIVE_S": str(KEEPALIVE_S),
            "EDGE_STORAGE__PATH": str(self.storage),
            "EDGE_REGISTRY__PATH": str(self.registry),
            **secrets,
        }

    def _end_daemon(self) -> None:
        if self._daemon is not None:
            self.kill_daemon()

    def _stop_broker(self) -> None:
        with suppress(AssertionError):
            self.broker.thaw()
        self.broker.stop()
