"""The daemon: composes every room, starts from the disk upwards, stops in reverse. Only the shell knows all rooms."""

import logging
import sys

from edge.config import Config, environment, no_colour
from edge.daemon.composition import Daemon, compose
from edge.daemon.heartbeat import Heartbeat, signs_of
from edge.daemon.inputs import start_sources
from edge.daemon.losses import Losses
from edge.daemon.progress import Progress
from edge.daemon.signals import StopSignals
from edge.daemon.stopping import LastResort, Stopping, end_now, lingering
from edge.daemon.systemd import Notifier
from edge.daemon.welcome import welcome
from edge.logs import configure

START_LOOK_S = 0.05
LINGER_S = 1.0
"""How long threads may take to end once everything is closed."""

_log = logging.getLogger(__name__)


def run(config: Config) -> int:
    """Run until SIGTERM or SIGINT; return the exit code: 0 where nothing that was accepted is lost, else 1.

    Does not return where a part hangs that would keep the process from ending: it ends the process with that code.
    Raises ConfigError, StoreError before anything serves.
    """
    given = (config.http.token, config.mqtt.password, config.azure.client_secret)
    secrets = [secret.get_secret_value() for secret in given if secret]
    configure(config.log.format, config.log.level, secrets=secrets, colour=False if no_colour() else None)
    notifier, losses = Notifier(environment()), Losses()
    stopping = Stopping(timeout_s=config.daemon.stop_timeout_s)
    with (
        StopSignals() as signals,
        LastResort(
            signals.asked,
            timeout_s=config.daemon.stop_timeout_s,
            doing=lambda: stopping.closing or "the start",
            exit_code=lambda: losses.exit_code,
        ),
    ):
        with stopping:
            daemon = compose(config, stopping, stream=sys.stdout)
            losses.count(daemon.delivery.tally, daemon.messaging.publisher if daemon.messaging else None)
            losses.failed = not _serve(daemon, config, signals, notifier, stopping)
            stopping.begin()
            signals.asked.set()  # where nobody asked: the last resort counts from here
            _log.info("stopping: no new work is taken, accepted work is answered")
            daemon.control.stopping()
            daemon.delivery.close()
            notifier.stopping()
        losses.failed |= bool(stopping.failed)
        return _end(losses, stopping)


def _serve(daemon: Daemon, config: Config, signals: StopSignals, notifier: Notifier, stopping: Stopping) -> bool:
    """Serve until a stop is asked for; tell whether it was."""
    progress = _progress(daemon, config)
    heartbeat = Heartbeat(progress, notifier, daemon.control.status)

    def starting() -> bool:
        heartbeat.round(starting=True)
        return daemon.alive() and not daemon.begun

    def serving() -> bool:
        heartbeat.round()
        return daemon.alive()

    if signals.wait(starting, every_s=START_LOOK_S):
        return True
    start_sources(daemon.sources, stopping)
    daemon.control.announce()
    daemon.console.show(welcome(daemon))
    notifier.ready()
    if signals.wait(serving, every_s=heartbeat.every_s):
        return True
    _log.error("the HTTP server ended unexpectedly; stopping so that a supervisor starts the daemon anew")
    return False


def _progress(daemon: Daemon, config: Config) -> Progress:
    progress = Progress(
        signs_of(
            server=daemon.server,
            work=daemon.delivery.tally,
            publisher=daemon.messaging.publisher if daemon.messaging else None,
            watch=daemon.watch,
            pulse=daemon.pulse,
            sources=daemon.sources,
            load_s=config.rollout.load_timeout_s,
        )
    )
    daemon.control.watches(progress)
    return progress


def _end(losses: Losses, stopping: Stopping) -> int:
    """Say how the stop went; return the exit code, or end the process with it where something hangs."""
    threads = lingering(within_s=min(LINGER_S, stopping.left_s))
    if losses.lost:
        _log.error("accepted work is lost: it was not answered or stored in time", extra={"lost": losses.lost})
    hangs = [one.part for one in stopping.left_behind] or threads
    _log.info("stopped", extra={"left_behind": ", ".join(hangs)} if hangs else {})
    if hangs:
        end_now(losses.exit_code)
    return losses.exit_code
