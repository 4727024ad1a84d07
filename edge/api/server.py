"""Runs the application on a real socket: uvicorn in a thread of its own, so that signals stay with the daemon."""

import asyncio
import errno
import logging
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import uvicorn
import uvloop
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from edge.api.feed import Feed
from edge.api.tls import HANDSHAKE_TIMEOUT_S, SHUTDOWN_TIMEOUT_S, ServerTls
from edge.errors import ConfigError

BACKLOG = 512
KEEP_ALIVE_S = 30
HEADER_TIMEOUT_S = 10.0
MAX_PORT = 65535
MAX_HEADER_BYTES = 64 * 1024
START_TIMEOUT_S = 10.0
STOP_GRACE_S = 2.0

logger = logging.getLogger(__name__)


class HttpServer:
    """Serves ``app`` on ``host`` and ``port`` (0: any free one). Binds when made; serves from ``start`` to ``close``.

    ``feed`` is closed first when stopping, so that clients that watch results do not hold up the end. With ``tls`` it
    speaks HTTPS.
    Raises ConfigError where the address cannot be bound.
    """

    def __init__(self, app: ASGIApp, *, feed: Feed, host: str, port: int, tls: ServerTls | None = None) -> None:
        self._feed = feed
        self._socket = bind(host, port)
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self._scheme = "https" if tls else "http"
        self._server = _Server(_config(app, tls))
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


def _config(app: ASGIApp, tls: ServerTls | None) -> uvicorn.Config:
    """Return uvicorn's settings. It logs through stdlib logging as it is set up, and not each request."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedHttpProtocol,
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
    """Tells when it serves, and when to stop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.ready.set()

    def stop(self, *, timeout_s: float) -> None:
        self.config.timeout_graceful_shutdown = max(1, round(timeout_s))
        self.should_exit = True


class BoundedHttpProtocol(HttpToolsProtocol):
    """uvicorn's protocol with what it lacks: a bound on the size of a request's head, and on the time for it."""

    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn declares it
        """Start waiting for the first head."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes while a head is not complete; the parser itself would gather it without end."""
        super().data_received(data)
        if self._head_timer is None:
            self._head_bytes = 0
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEADER_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's head is too large.")

    def on_message_begin(self) -> None:
        """Start waiting for a head."""
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        """Stop waiting."""
        self._head_arrived()
        super().on_headers_complete()

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEADER_TIMEOUT_S, self.timeout_keep_alive_handler)

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
