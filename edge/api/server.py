"""Runs the application on a real socket: uvicorn in a thread of its own, so that signals stay with the daemon."""

import asyncio
import errno
import logging
import socket
import threading
import time
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

import uvicorn
import uvloop
from starlette.types import ASGIApp

from edge.api.connections import Bounds, House
from edge.api.feed import Feed
from edge.api.protocol import LOOKS, BoundedHttpProtocol
from edge.api.shed import Shed
from edge.api.tls import HANDSHAKE_TIMEOUT_S, SHUTDOWN_TIMEOUT_S, ServerTls
from edge.errors import ConfigError

BACKLOG = 512
KEEP_ALIVE_S = 30
PEER_GONE_S = 60
"""A peer that acknowledges nothing for so long is gone (a cable was pulled): its connection is ended by the kernel."""
MAX_PORT = 65535
START_TIMEOUT_S = 10.0
STOP_GRACE_S = 2.0
LAST_REQUESTS_S = 0.2
"""How long open connections may still bring requests once the server listens no more: they are on their way."""

logger = logging.getLogger(__name__)


class HttpServer:
    """Serves ``app`` on ``host`` and ``port`` (0: any free one). Binds when made; serves from ``start`` to ``close``.

    ``feed`` is closed first when stopping, so that clients that watch results do not hold up the end. With ``tls`` it
    speaks HTTPS. ``bounds`` holds for its connections; ``shed`` tells which requests are refused by their head.
    Raises ConfigError where the address cannot be bound.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        feed: Feed,
        host: str,
        port: int,
        tls: ServerTls | None = None,
        bounds: Bounds = Bounds(),
        shed: Shed | None = None,
    ) -> None:
        self._feed = feed
        self._socket = bind(host, port)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self._scheme = "https" if tls else "http"
        self._server = _Server(shed.paced(app) if shed else app, House(bounds, shed), tls)
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self.beats = 0
        """Rises each time that the event loop has answered ``ask_beat``."""

    @property
    def url(self) -> str:
        """Where it answers, ending in a slash."""
        host, port = self.address
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{port}/"

    @property
    def alive(self) -> bool:
        """Whether it serves."""
        return self._thread.is_alive()

    def ask_beat(self) -> None:
        """Have the event loop count a beat when it comes to it; nothing where it has ended."""
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._beat)

    def _beat(self) -> None:
        self.beats += 1

    def start(self) -> None:
        """Serve; return once requests are answered."""
        self._thread.start()
        if not self._server.ready.wait(START_TIMEOUT_S) or not self.alive:
            raise RuntimeError("the HTTP server did not start; the log tells why")
        logger.info("http listening", extra={"url": self.url})

    def close(self, *, timeout_s: float = 10.0) -> None:
        """Accept no more, end the live streams, let requests in flight finish for ``timeout_s``, stop.

        A change of the model that is still being proved then cannot be interrupted; it is left behind with a warning.
        """
        self._feed.close()
        if self._thread.ident is None:
            self._socket.close()
            return
        self._server.stop(timeout_s=timeout_s)
        self._thread.join(timeout_s + STOP_GRACE_S)
        if self.alive:
            logger.warning("the HTTP server still waits for a change of the model; it ends with the process")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=_Loop) as runner:
                self._loop = runner.get_loop()
                runner.run(self._server.serve(sockets=[self._socket]))
        finally:
            self._socket.close()
            self._server.ready.set()


def bind(host: str, port: int) -> socket.socket:
    """Return a bound TCP socket (IPv4 or IPv6). Raises ConfigError naming the address and the remedy."""
    try:
        if not 0 <= port <= MAX_PORT:
            raise OverflowError("no such port")  # the resolver would take it modulo 65536
        family, kind, protocol, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        opened = socket.socket(family, kind, protocol)
    except (OSError, OverflowError, UnicodeError) as error:
        raise ConfigError(
            f"[http] host {host!r}, port {port}: no address to listen on ({error}); give an address of "
            "this machine, such as 127.0.0.1, and a port of 0..65535"
        ) from error
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux; accepted sockets inherit it
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, PEER_GONE_S * 1000)
        opened.bind(address)
    except OSError as error:
        opened.close()
        raise ConfigError(f"[http] cannot listen on {host}, port {port}: {_remedy(error)}") from error
    return opened


def _remedy(error: OSError) -> str:
    remedies = {
        errno.EADDRINUSE: "another program has the port; stop it, or choose another port with EDGE_HTTP__PORT",
        errno.EACCES: "ports below 1024 need the right to bind them; choose a higher one with EDGE_HTTP__PORT",
        errno.EADDRNOTAVAIL: "this machine does not have that address; choose one of its own, or 127.0.0.1",
    }
    return remedies.get(error.errno or 0, str(error.strerror))


def _config(app: ASGIApp, house: House, tls: ServerTls | None) -> uvicorn.Config:
    """Return uvicorn's settings. It logs through stdlib logging as it is set up, and not each request."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=partial(BoundedHttpProtocol, house=house),  # type: ignore[arg-type]  # it is only ever called
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        ssl_context_factory=(lambda _config, _default: tls.context) if tls else None,
    )


class _Loop(uvloop.Loop):
    """Bounds what a TLS connection may take before it is one and after it was one; uvicorn passes no such bounds."""

    async def create_server(self, *arguments: Any, **options: Any) -> Any:
        """Listen."""
        if options.get("ssl") is not None:
            options |= {"ssl_handshake_timeout": HANDSHAKE_TIMEOUT_S, "ssl_shutdown_timeout": SHUTDOWN_TIMEOUT_S}
        return await super().create_server(*arguments, **options)


class _Server(uvicorn.Server):
    """Tells when it serves, and when to stop; looks after connections whose clients do nothing any more."""

    def __init__(self, app: ASGIApp, house: House, tls: ServerTls | None) -> None:
        super().__init__(_config(app, house, tls))
        self.ready = threading.Event()
        self._house = house
        self._looked_at = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()

    async def on_tick(self, counter: int) -> bool:
        now = time.monotonic()
        if now - self._looked_at >= self._house.bounds.stalled_s / LOOKS:
            self._looked_at = now
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedHttpProtocol):
                    connection.look()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen no more; answer what is on its way into open connections, then close those that are idle."""
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        await asyncio.sleep(LAST_REQUESTS_S)
        for connection in list(self.server_state.connections):
            if isinstance(connection, BoundedHttpProtocol):
                connection.give_up()
        await super().shutdown(sockets=sockets)
        self._house.close()

    def stop(self, *, timeout_s: float) -> None:
        self.config.timeout_graceful_shutdown = max(1, round(timeout_s))
        self.should_exit = True
