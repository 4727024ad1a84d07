"""The HTTP face, as the configuration says."""

from contextlib import ExitStack

from edge.api.app import create_app
from edge.api.feed import Feed
from edge.api.limits import Limits
from edge.api.server import HttpServer
from edge.config import Config
from edge.daemon.control import DaemonControl
from edge.execution.delivery import Delivery
from edge.metrics import Metrics

MIB = 1 << 20


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
        token=config.http.token.get_secret_value() if config.http.token else None,
        device=config.mqtt.device,
        observe=metrics.observe_request,
    )
    server = HttpServer(app, feed=feed, host=config.http.host, port=config.http.port)
    stack.callback(server.close)
    server.start()
    return server
