"""The HTTP face, as the configuration says."""

import logging
from contextlib import ExitStack

from edge.api.app import create_app
from edge.api.connections import Bounds
from edge.api.feed import Feed
from edge.api.limits import Limits
from edge.api.server import HttpServer
from edge.api.shed import Shed
from edge.config import Config
from edge.daemon.control import DaemonControl
from edge.daemon.descriptors import allow_connections
from edge.daemon.explanations import make_explaining
from edge.daemon.security import Security, exposure
from edge.daemon.status import Status
from edge.execution.delivery import Delivery
from edge.metrics import Metrics
from edge.ports import Executor, Priority

MIB = 1 << 20

_log = logging.getLogger(__name__)


def start_http(
    config: Config,
    stack: ExitStack,
    *,
    executor: Executor,
    delivery: Delivery,
    control: DaemonControl,
    status: Status,
    feed: Feed,
    metrics: Metrics,
) -> HttpServer | None:
    """Bind and serve until the stack is undone; None where HTTP is switched off. Raises ConfigError."""
    if not config.http.enabled:
        return None
    limits = Limits(
        max_body_bytes=config.http.max_body_mb * MIB,
        max_images=config.http.max_images,
        deadline_s=config.http.deadline_s,
    )
    security = Security(config.http)
    for warning in exposure(config.http):
        _log.warning(warning)
    status.also(security.warnings)
    explaining = make_explaining(executor, metrics)
    app = create_app(
        submit=delivery.submit,
        control=control,
        feed=feed,
        metrics=metrics.render,
        limits=limits,
        access=security.access,
        device=config.mqtt.device,
        observe=metrics.observe_request,
        explainer=explaining,
    )
    allow_connections(config.http.max_connections)
    server = HttpServer(
        app,
        feed=feed,
        host=config.http.host,
        port=config.http.port,
        tls=security.tls,
        bounds=Bounds(max_connections=config.http.max_connections),
        shed=Shed(lambda: delivery.full(Priority.REQUEST), observe=metrics.observe_request),
    )
    stack.callback(server.close)
    server.start()
    stack.callback(explaining.close)  # before the server is, which waits for requests under way
    return server
