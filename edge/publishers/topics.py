"""Topic names: ``{prefix}/{device}/…``. Pure text, no connection."""

import re
from dataclasses import dataclass

from edge.errors import ConfigError

RESERVED = frozenset({"ack", "cmd"})
"""First levels below the device that are not sources."""
UNKNOWN_ID = "-"
"""Stands for the id of a command that has none."""

_FORBIDDEN = re.compile("[/+#\\x00-\\x1f\\x7f-\\x9f\\ufdd0-\\ufdef]")
"""What no level may hold, and the control characters and non-characters for which a broker may end the connection
(MQTT 3.1.1, 1.5.3): a message with one would do so again at each try."""
_PLANE_ENDS = frozenset({0xFFFE, 0xFFFF})
"""The last two code points of every plane are no characters either."""
_LEVEL_CHARACTERS = 128


def level(text: str) -> str:
    """Return ``text`` fit to be one topic level: ``/``, ``+``, ``#`` and what is no character become ``_``.

    So does an empty text.
    """
    clean = _FORBIDDEN.sub("_", text[:_LEVEL_CHARACTERS]).encode("utf-8", "replace").decode("utf-8")
    return "".join("_" if ord(c) & 0xFFFF in _PLANE_ENDS else c for c in clean) or "_"


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one device. ``prefix`` may have several levels, ``device`` is one. Raises ConfigError."""

    prefix: str
    device: str

    def __post_init__(self) -> None:
        if any(not part or part != level(part) for part in self.prefix.split("/")):
            msg = f"mqtt.prefix {self.prefix!r} is no topic: levels joined by '/', none empty, without '+' and '#'"
            raise ConfigError(msg)
        if self.device != level(self.device):
            msg = f"mqtt.device {self.device!r} is no topic level: it may not be empty or hold '/', '+' or '#'"
            raise ConfigError(msg)

    @property
    def root(self) -> str:
        """What every topic of the device begins with."""
        return f"{self.prefix}/{self.device}"

    @property
    def state(self) -> str:
        """Where the daemon's state is retained."""
        return f"{self.root}/state"

    @property
    def dropped(self) -> str:
        """Where numbers are named that will not come."""
        return f"{self.root}/dropped"

    @property
    def model(self) -> str:
        """Where it is told what became of a version of the model."""
        return f"{self.root}/model"

    def result(self, source: str) -> str:
        """Where the results of a source go; a source named as a reserved level gets ``_`` appended."""
        name = level(source)
        return f"{self.root}/{name}_/result" if name in RESERVED else f"{self.root}/{name}/result"

    def ack(self, id_: str) -> str:
        """Where the answer to a command goes."""
        return f"{self.root}/ack/{level(id_)}"

    def below(self, topic: str) -> str:
        """Return what follows the device's root in an incoming topic."""
        return topic.removeprefix(f"{self.root}/")
