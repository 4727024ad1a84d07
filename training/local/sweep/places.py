"""Where trials run, as the sweep sees it: it begins one, hears of its epochs, and says whether it goes on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from training.local.run import Epoch


@dataclass(frozen=True, slots=True)
class Reported:
    """A trial has done an epoch, and waits for an answer. One that goes on after a kill tells of all its epochs."""

    number: int
    epoch: Epoch


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trial has ended by itself, or because it was ``asked``; ``best`` is the epoch whose weights are kept."""

    number: int
    best: Epoch
    asked: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """A trial cannot go on: it diverged, ran out of memory, crashed.

    ``disk``: the machine has no room for any, on its disk or for their processes; no other trial would fare better.
    """

    number: int
    reason: str
    disk: bool = False


News = Reported | Fitted | Broken


class Workplace(Protocol):
    """Runs trials, each with its folder, which holds its ``run.json``. Of one thread's calls only."""

    def begin(self, number: int, folder: Path) -> None:
        """Begin a trial, or go on with it where its folder says so."""
        ...

    def next_news(self, timeout_s: float) -> News | None:
        """Wait for the next that a trial tells; None: nothing within the time.

        Raises:
            TrainingError: the place itself is gone.
        """
        ...

    def answer(self, number: int, *, going: bool) -> None:
        """Tell a trial that has reported whether it goes on."""
        ...

    def close(self) -> None:
        """End all trials at once; their folders stay as they are."""
        ...
