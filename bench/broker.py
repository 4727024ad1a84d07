"""A real mosquitto on loopback for a benchmark, and a file of results that wait for it."""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.load import HOST
from edge.publishers.outbox import Limits, Message
from edge.publishers.sqlite_outbox import SqliteOutbox

START_LIMIT_S = 10.0
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")


@contextmanager
def broker(port: int) -> Iterator[None]:
    """Run mosquitto on ``port``. Exits where it is not installed."""
    if MOSQUITTO is None:
        sys.exit("mosquitto is not installed (apt-get install mosquitto)")
    quiet = subprocess.DEVNULL
    with subprocess.Popen([MOSQUITTO, "-p", str(port)], stdout=quiet, stderr=quiet) as process:
        try:
            _wait_for(port)
            yield
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    until = time.monotonic() + START_LIMIT_S
    while True:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        if time.monotonic() > until:
            raise RuntimeError(f"mosquitto does not listen on {port}")
        time.sleep(0.01)


def keep(storage: Path, topic: str, payload: bytes, count: int) -> None:
    """Put ``count`` results into the outbox of a daemon that does not run."""
    with closing(SqliteOutbox(storage / "outbox.db", Limits())) as outbox:
        for seq in range(outbox.mark.seq + 1, outbox.mark.seq + count + 1):
            outbox.put(Message(topic, payload.replace(b'"seq":0', b'"seq":%d' % seq, 1), seq))
