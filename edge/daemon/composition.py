"""Puts the parts together. Each part that starts something is closed by the stack, in reverse order of starting.

Started from the disk upwards: store, broker, publisher, executor, HTTP, model, commands, sources (which the shell
starts once a model serves). So stopping takes no
new frames first, answers requests in flight, empties the executor, says goodbye to the broker and lets go of the disk.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import TextIO

from edge.api.feed import Feed
from edge.api.server import HttpServer
from edge.config import Config
from edge.config.network import HttpSection
from edge.console import Console
from edge.daemon.control import DaemonControl
from edge.daemon.inputs import supervise_sources
from edge.daemon.messaging import Messaging, open_messaging
from edge.daemon.models import make_rollout, trust
from edge.daemon.progress import Pulse
from edge.daemon.registries import guesses, jitter_of, make_registry
from edge.daemon.status import Identity, Status
from edge.daemon.trials import open_trials
from edge.daemon.web import start_http
from edge.execution.delivery import Delivery
from edge.execution.shapes import Shape, ShapedByModel, make_executor
from edge.metrics import Metrics
from edge.ports import Executor, Model, Observer
from edge.publishers.commands import Commands
from edge.registry.store import Store
from edge.rollout import Watch
from edge.session import CPU, usable_cores
from edge.sources.supervisor import SupervisedSource

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Daemon:
    """What runs, as far as the shell talks to it. ``server`` is None without HTTP, ``messaging`` without MQTT."""

    control: DaemonControl
    console: Console
    server: HttpServer | None
    messaging: Messaging | None
    http: HttpSection
    delivery: Delivery
    watch: Watch
    pulse: Pulse
    sources: tuple[SupervisedSource, ...]

    @property
    def begun(self) -> bool:
        """Whether the first look into the registry is over, so that a model serves or a reason is known."""
        return self.watch.looks > 0

    def alive(self) -> bool:
        """Tell whether what must live for the daemon to be of use does."""
        return self.server is None or self.server.alive


def compose(config: Config, stack: ExitStack, *, stream: TextIO) -> Daemon:
    """Start everything that the configuration asks for. Raises ConfigError, StoreError; the stack undoes what began."""
    console = Console(stream)
    stack.callback(console.close)
    store = stack.enter_context(Store(config.storage.path, trust=trust(config)))
    messaging = open_messaging(config.mqtt, config.storage.path, stack) if config.mqtt.enabled else None
    executor = open_executor(config)
    stack.callback(executor.close)
    identity = Identity(metadata.version("automl-edge"), config.mqtt.device)
    status = Status(identity, executor=executor, messaging=messaging)
    status.also(partial(guesses, config))
    control = DaemonControl(status, messaging=messaging)
    feed, metrics = Feed(), Metrics(snapshot=status.snapshot, version=identity.version)
    observers: list[Observer] = [feed.observe, metrics.observe]
    if config.log.results == "true" or (config.log.results == "auto" and stream.isatty()):
        observers.append(console.observe)
    trials = open_trials(config, stack, executor=executor, metrics=metrics, wake=control.wake)
    delivery = Delivery(
        executor,
        device=config.mqtt.device,
        publishers=[messaging.publisher] if messaging else [],
        observers=observers,
        witnesses=trials.witnesses,
        publish_answers=config.http.publish,
    )
    server = start_http(
        config,
        stack,
        executor=executor,
        delivery=delivery,
        control=control,
        status=status,
        feed=feed,
        metrics=metrics,
    )
    pulse = Pulse()
    rollout = make_rollout(config, make_registry(config, moved=pulse.beat), store, executor, control, metrics, trials)
    sources = supervise_sources(config, delivery.emit, messaging)
    control.follow(rollout, sources)
    if messaging is not None:
        _connect(messaging, control, stack)
    watch = Watch(control.look, poll_s=config.registry.poll_s, jitter=jitter_of(config), first=rollout.start)
    stack.callback(watch.close)
    stack.callback(rollout.stop)
    control.wakes(watch)
    watch.now()
    return Daemon(control, console, server, messaging, config.http, delivery, watch, pulse, sources)


def _connect(messaging: Messaging, control: DaemonControl, stack: ExitStack) -> None:
    """Subscribe to commands, then let the publisher connect: what subscribes later would wait for a reconnect."""
    commands = Commands(messaging.publisher, control, messaging.topics)
    messaging.publisher.start()
    commands.start()
    stack.callback(commands.close)


def open_executor(config: Config) -> Executor:
    """Return the executor as configured; with ``shape = "auto"`` the first model's provider decides."""
    make = partial(
        make_executor,
        workers=config.batching.lanes or usable_cores(),
        max_pictures=config.batching.queue_size,
        max_bytes=config.batching.queue_mb * MIB,
        max_batch_size=config.batching.max_batch_size or max(config.session.batch_sizes),
        max_batch_delay_s=config.batching.max_batch_delay_ms / 1e3,
    )
    if config.batching.shape != "auto":
        return make(config.batching.shape)
    return ShapedByModel(make, suits=suitable_shape, max_pictures=config.batching.queue_size)


def suitable_shape(model: Model) -> Shape:
    """Return the shape that suits the provider which really runs the model."""
    return "lanes" if model.session.provider == CPU else "pipeline"
