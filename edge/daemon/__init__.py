"""The daemon: composes every room, starts from the disk upwards, stops in reverse. Only the shell knows all rooms."""

import logging
import sys
from contextlib import ExitStack

from edge.config import Config, no_colour
from edge.daemon.composition import compose
from edge.daemon.signals import StopSignals
from edge.daemon.welcome import welcome
from edge.logs import configure

_log = logging.getLogger(__name__)


def run(config: Config) -> int:
    """Run until SIGTERM or SIGINT; return the exit code. Raises ConfigError, StoreError before anything serves."""
    secrets = [secret.get_secret_value() for secret in (config.http.token, config.mqtt.password) if secret]
    configure(config.log.format, config.log.level, secrets=secrets, colour=False if no_colour() else None)
    with StopSignals() as stop, ExitStack() as stack:
        daemon = compose(config, stack, stream=sys.stdout)
        daemon.console.show(welcome(daemon))
        asked = stop.wait(daemon.alive)
        if not asked:
            _log.error("the HTTP server ended unexpectedly; stopping so that a supervisor starts the daemon anew")
        _log.info("stopping: no new work is taken, accepted work is answered")
        daemon.control.stopping()
    _log.info("stopped")
    return 0 if asked else 1
