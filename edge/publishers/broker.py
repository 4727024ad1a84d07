"""A small MQTT broker inside the process, for a first run without one: loopback only, MQTT 3.1.1, nothing kept on disk.

Rule: the only place that knows amqtt, which is imported no earlier than at ``start``.
"""

import asyncio
import ipaddress
import logging
import os
import socket
import threading
from contextlib import suppress
from typing import Any

from edge.errors import ConfigError

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0
SHUTDOWN_TRIES = 5
SHUTDOWN_TRY_S = 1.0
NOISY = ("amqtt", "transitions")
"""Loggers that tell of every packet and every state at INFO."""

log = logging.getLogger(__name__)

_PLUGINS: dict[str, Any] = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}


class EmbeddedBroker:
    """Serves whoever is on this machine, without passwords; ``port`` 0 takes a free one, named after ``start``."""

    def __init__(self, host: str = "127.0.0.1", port: int = 1883) -> None:
        if not _is_loopback(host):
            msg = (
                f"the embedded MQTT broker has no passwords and stays on this machine: {host} is no loopback address; "
                "run a broker of your own and set EDGE_MQTT__HOST"
            )
            raise ConfigError(msg)
        self._host = host
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="mqtt-broker", daemon=True)

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._port

    def start(self) -> None:
        """Return when clients can connect. Raises ConfigError where amqtt is missing or the port is taken."""
        for name in NOISY:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._thread.start()
        in_time = self._started.wait(START_TIMEOUT_S)
        failure = self._failure or (None if in_time else TimeoutError("it does not start"))
        if failure is not None:
            self.close()
            raise self._explained(failure) from failure

    def close(self) -> None:
        """Disconnect everybody and stop; does nothing where the broker does not run."""
        if self._thread.is_alive() and self._loop is not None and self._stop is not None:
            with suppress(RuntimeError):  # the loop has just ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(STOP_TIMEOUT_S)

    def _explained(self, failure: BaseException) -> ConfigError:
        if isinstance(failure, ImportError):
            return ConfigError(
                "the embedded MQTT broker is not installed: pip install 'automl-edge[demo]', or set mqtt.host "
                "(EDGE_MQTT__HOST) to a broker of yours, or EDGE_MQTT__ENABLED=false"
            )
        number = failure.errno if isinstance(failure, OSError) else None
        reason = os.strerror(number) if number else str(failure)
        return ConfigError(
            f"the embedded MQTT broker cannot listen on {self._host}:{self._port}: {reason}; "
            f"if a broker already runs there, set EDGE_MQTT__HOST={self._host} to use it, "
            "or give the embedded one another EDGE_MQTT__PORT"
        )

    def _run(self) -> None:
        try:
            self._port = _free(self._host, self._port)
            asyncio.run(self._serve())
        except (ImportError, OSError) as exc:
            self._failure = exc
        finally:
            self._started.set()

    async def _serve(self) -> None:
        from amqtt.broker import Broker  # noqa: PLC0415 - only who wants the embedded broker needs the package
        from amqtt.errors import AMQTTError  # noqa: PLC0415 - as above

        # max_connections 0: as many as come; messages have no limit but MQTT's own of 256 MiB
        listener = {"type": "tcp", "bind": f"{self._host}:{self._port}", "max_connections": 0}
        broker = Broker({"listeners": {"default": listener}, "plugins": _PLUGINS})
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            await broker.start()
        except AMQTTError as exc:
            raise OSError(str(exc)) from exc  # explained by start, as what a taken port raises
        self._started.set()
        await self._stop.wait()
        await _shut_down(broker)


async def _shut_down(broker: Any) -> None:
    """Stop the broker; a client that is just connecting can hang it, and is passed over by the next try."""
    for _ in range(SHUTDOWN_TRIES):
        with suppress(TimeoutError):
            await asyncio.wait_for(broker.shutdown(), SHUTDOWN_TRY_S)
            return
    log.warning("the embedded MQTT broker did not stop in order")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _free(host: str, port: int) -> int:
    """Return ``port``, or a free one for 0. Raises OSError where it is taken (amqtt would log a traceback)."""
    with socket.create_server((host, port)) as probe:
        return int(probe.getsockname()[1])
