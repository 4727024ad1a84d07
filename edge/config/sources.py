"""The ``[[source]]`` tables: where frames come from."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator

from edge.config.sections import Section
from edge.config.values import ConfigPath, Seconds, TopicLevel

RESERVED_SOURCES = ("http", "state", "cmd", "ack")
"""Source names that topics and results already use for something else."""


class _Source(Section):
    name: TopicLevel
    """Name in topics and results; unique."""
    priority: Literal["trigger", "stream"] = "stream"
    """Who goes first when there is too much to do: a `trigger` before HTTP requests, a `stream` after them."""

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name in RESERVED_SOURCES:
            raise ValueError(f"is reserved, as {', '.join(RESERVED_SOURCES)} are: topics use these names")
        return name


class FolderSource(_Source):
    """A watched folder: each picture put into it is one frame."""

    kind: Literal["folder"]
    """`folder`."""
    path: ConfigPath
    """The folder."""
    after: Literal["keep", "move", "delete"] = "keep"
    """What becomes of a picture once its answer is delivered."""
    poll_s: Seconds = 0.5
    """How often the folder is looked at."""


class PlaybackSource(_Source):
    """A folder of pictures or a video file, played at a rate."""

    kind: Literal["playback"]
    """`playback`."""
    path: ConfigPath
    """The folder of pictures, or the video file."""
    fps: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Frames a second."""
    loop: bool = False
    """Whether it begins again at its end."""
    shuffle_seed: int | None = None
    """Seed of a fixed random order of a folder's pictures; without it, by name."""


SourceSection = Annotated[FolderSource | PlaybackSource, Field(discriminator="kind")]

SOURCE_KINDS: Mapping[str, type[Section]] = {"folder": FolderSource, "playback": PlaybackSource}
"""What a ``[[source]]`` may be, by its ``kind``."""
