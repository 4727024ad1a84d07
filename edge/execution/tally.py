"""How many frames are under way, and what became of them: whether work gets on, and what a stop had to give up."""

import threading

from edge.errors import StoppingError


class Tally:
    """Counts frames from their acceptance until their result is handed on. Thread-safe; reading waits for nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.accepted = 0
        """Frames that were taken."""
        self.settled = 0
        """Frames that came to an end, whatever became of them."""
        self.given_up = 0
        """Frames that were taken and then left unanswered because the daemon stopped."""

    @property
    def under_way(self) -> int:
        """Frames that were taken and have not come to an end."""
        return self.accepted - self.settled

    def accept(self) -> None:
        """Count a frame in."""
        with self._lock:
            self.accepted += 1

    def settle(self, error: BaseException | None) -> None:
        """Count a frame out, with what its work ended in."""
        with self._lock:
            self.settled += 1
            self.given_up += isinstance(error, StoppingError)
