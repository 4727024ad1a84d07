"""Who sends pictures while things break: over HTTP, into a folder, over MQTT. Every picture has its own name."""

import http.client
import threading
import time
from pathlib import Path
from typing import Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.fakes import COLOURS, encoded, picture

PICTURE = encoded(picture(COLOURS["red"], width=36, height=36))
BOUNDARY = "picture-boundary"
PAUSE_S = 0.02
MOST_FILES = 100
TIMEOUT_S = 15.0


class Traffic:
    """A thread that sends picture after picture, ``rate`` a second at most.

    ``owed`` are the pictures whose result must reach the receiver, as (source, name). Names begin with the ``sender``
    and rise from ``first`` on.
    """

    def __init__(self, source: str, rate: float, *, sender: str = "a", first: int = 1) -> None:
        self.source = source
        self.owed: set[tuple[str, str]] = set()
        self._interval_s = 1 / rate
        self._sender = sender
        self._number = first - 1
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"traffic-{source}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more; the last answer is awaited."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stop.is_set():
            self._number += 1
            self.send(f"{self._sender}-{self._number:07}.png")
            due = max(due + self._interval_s, time.monotonic() - self._interval_s)
            self._stop.wait(max(0.0, due - time.monotonic()))
        self.finish()

    def send(self, name: str) -> None:
        """Send one picture."""
        raise NotImplementedError

    def finish(self) -> None:
        """Let go of everything."""

    def owe(self, name: str) -> None:
        """Note that somebody was told that this picture is taken."""
        self.owed.add((self.source, name))


class HttpTraffic(Traffic):
    """One client that asks for an answer, then sends the next: what got its 200 is owed."""

    def __init__(self, port: int, rate: float = 100, *, sender: str = "a", first: int = 1) -> None:
        super().__init__("http", rate, sender=sender, first=first)
        self._port = port
        self._connection: http.client.HTTPConnection | None = None
        self.answers: dict[int, int] = {}
        """How often each status came; 0 stands for no answer."""
        self.longest_s = 0.0
        """The longest that an answer of 200 took."""

    def send(self, name: str) -> None:
        """Ask; a new connection follows a failure."""
        began = time.monotonic()
        status = self._ask(name)
        self.answers[status] = self.answers.get(status, 0) + 1
        if status == 200:
            self.owe(name)
            self.longest_s = max(self.longest_s, time.monotonic() - began)
        else:
            self._stop.wait(PAUSE_S)

    def _ask(self, name: str) -> int:
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
        body = head.encode() + PICTURE + f"\r\n--{BOUNDARY}--\r\n".encode()
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_S)
            headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
            self._connection.request("POST", "/v1/predict", body, headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.finish()
            return 0
        return answer.status

    def finish(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class FolderTraffic(Traffic):
    """Moves pictures into a watched folder: each of them is owed. Waits while many lie there."""

    def __init__(self, inbox: Path, rate: float = 30) -> None:
        super().__init__("inbox", rate)
        self._inbox = inbox
        self._beside = inbox.with_name(f"{inbox.name}-beside")
        self._beside.mkdir(exist_ok=True)

    def send(self, name: str) -> None:
        """Write beside the folder, then move in."""
        while sum(1 for _ in self._inbox.iterdir()) >= MOST_FILES and not self._stop.wait(PAUSE_S):
            pass
        (self._beside / name).write_bytes(PICTURE)
        (self._beside / name).rename(self._inbox / name)
        self.owe(name)


class MqttTraffic(Traffic):
    """Publishes pictures with QoS 1, one after the other: what the broker acknowledged is owed.

    Never sends a picture twice, so that whatever comes twice was not its doing: each connection is a fresh client.
    """

    def __init__(self, port: int, root: str, rate: float = 30, user: tuple[str, str] | None = None) -> None:
        super().__init__("camera", rate)
        self._port = port
        self._root = root
        self._user = user
        self._client: paho.Client | None = None
        self._acknowledged = threading.Event()
        self._down = threading.Event()

    def send(self, name: str) -> None:
        """Publish and wait until the broker has it; a picture whose connection was lost is given up."""
        client = self._connected()
        if client is None:
            self._stop.wait(PAUSE_S)
            return
        self._acknowledged.clear()
        client.publish(f"{self._root}/{self.source}/image/{name}", PICTURE, qos=1)
        while not self._acknowledged.wait(PAUSE_S) and not self._down.is_set() and not self._stop.is_set():
            pass
        if self._acknowledged.is_set():
            self.owe(name)
        else:
            self.finish()

    def _connected(self) -> paho.Client | None:
        """Return a client that is or will be connected; None where nothing listens."""
        if self._client is not None and not self._down.is_set():
            return self._client
        self.finish()
        self._down.clear()
        client = paho.Client(CallbackAPIVersion.VERSION2, reconnect_on_failure=False)
        client.on_publish = lambda *_: self._acknowledged.set()
        client.on_disconnect = lambda *_: self._down.set()
        if self._user is not None:
            client.username_pw_set(*self._user)
        try:
            client.connect("127.0.0.1", self._port)
        except OSError:
            return None
        client.loop_start()
        self._client = client
        return client

    def finish(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None


def owed(*traffics: Traffic) -> frozenset[tuple[str, str]]:
    """Return all that is owed to the receiver."""
    return frozenset().union(*(traffic.owed for traffic in traffics))
