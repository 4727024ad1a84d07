"""What a stop has lost, for the log and the exit code."""

from typing import Protocol


class Counted(Protocol):
    """Frames from their acceptance to their end."""

    @property
    def under_way(self) -> int:
        """Frames that have not come to an end."""

    @property
    def given_up(self) -> int:
        """Frames that were left unanswered because the daemon stopped."""


class Waiting(Protocol):
    """Where results wait for their receiver."""

    @property
    def unstored(self) -> int:
        """How many would not outlive the process."""


class Losses:
    """Counts what was accepted and is neither answered nor stored.

    Asking waits for nothing, so that it can be asked while all else hangs.
    """

    def __init__(self) -> None:
        self._frames: Counted | None = None
        self._results: Waiting | None = None
        self.failed = False
        """Whether something failed that is no loss."""

    def count(self, frames: Counted, results: Waiting | None) -> None:
        """Count these from now on."""
        self._frames = frames
        self._results = results

    @property
    def lost(self) -> int:
        """How many frames were given up or still hang, and how many results wait in a memory that ends."""
        frames = self._frames.under_way + self._frames.given_up if self._frames else 0
        return frames + (self._results.unstored if self._results else 0)

    @property
    def exit_code(self) -> int:
        """0 where nothing is lost and nothing failed, else 1."""
        return 1 if self.lost or self.failed else 0
