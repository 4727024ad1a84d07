"""The HTTP face, as the configuration says."""

import socket
from contextlib import ExitStack

from edge.api.access import Access
from edge.api.app import create_app
from edge.api.feed import Feed
from edge.api.limits import Limits
from edge.api.server import HttpServer
from edge.config import Config, is_loopback
from edge.config.network import HttpSection
from edge.daemon.control import DaemonControl
from edge.execution.delivery import Delivery
from edge.metrics import Metrics
from edge.tokens import KnownTokens

MIB = 1 << 20


def access_of(http: HttpSection) -> Access:
    """Return who may ask for what. Raises ConfigError where the tokens cannot be read."""
    if http.asks_for_token:
        token = http.token.get_secret_value() if http.token else None
        return Access(KnownTokens(token, http.tokens_file), http.rate_limit)
    own = ("localhost", http.host, socket.gethostname()) if is_loopback(http.host) else None
    return Access(rate=http.rate_limit, names=own)


def start_http(
    config: Config, stack: ExitStack, *, delivery: Delivery, control: DaemonControl, feed: Feed, metrics: Metrics
) -> HttpServer | None:
    """Bind and serve until the stack is undone; None where HTTP is switched off. Raises ConfigError."""
    if not config.http.enabled:
        return None
    limits = Limits(
        max_body_bytes=config.http.max_body_mb * MIB,
        max_images=config.http.max_images,
        deadline_s=config.http.deadline_s,
    )
    app = create_app(
        submit=delivery.submit,
        control=control,
        feed=feed,
        metrics=metrics.render,
        limits=limits,
        access=access_of(config.http),
        device=config.mqtt.device,
        observe=metrics.observe_request,
    )
    server = HttpServer(app, feed=feed, host=config.http.host, port=config.http.port)
    stack.callback(server.close)
    server.start()
    return server
