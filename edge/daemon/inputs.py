"""The configured sources, each under supervision, and the pictures that come over MQTT."""

from contextlib import ExitStack
from pathlib import Path

from edge.config import Config
from edge.config.sources import FolderSource, SourceSection
from edge.daemon.messaging import Messaging
from edge.ports import Emit, Priority, Source
from edge.sources.folder import WatchedFolder
from edge.sources.mqtt import MqttImages
from edge.sources.playback import Playback
from edge.sources.supervisor import SupervisedSource


def supervise_sources(config: Config, emit: Emit, messaging: Messaging | None) -> tuple[SupervisedSource, ...]:
    """Return every source, not started yet; pictures over MQTT subscribe here, before the connection is made."""
    sources = [make_source(section, config.storage.path) for section in config.source]
    if messaging is not None and config.mqtt.images:
        sources.append(MqttImages(messaging.publisher))
    return tuple(SupervisedSource(source, emit) for source in sources)


def start_sources(sources: tuple[SupervisedSource, ...], stack: ExitStack) -> None:
    """Start every source; the stack stops all of them before it waits for the first."""
    for source in sources:
        source.start()
        stack.callback(source.close)
    for source in sources:
        stack.callback(source.stop)


def make_source(section: SourceSection, storage: Path) -> Source:
    """Return the source of a configuration's section; what it remembers is kept below ``storage``."""
    priority = Priority[section.priority.upper()]
    if isinstance(section, FolderSource):
        return WatchedFolder(
            section.name,
            section.path,
            journal=storage / "sources" / f"{section.name}.seen",
            after=section.after,
            poll_s=section.poll_s,
            priority=priority,
        )
    return Playback(
        section.name,
        section.path,
        fps=section.fps,
        loop=section.loop,
        shuffle_seed=section.shuffle_seed,
        priority=priority,
    )
