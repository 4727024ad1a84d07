"""Which live frames a shadow takes, so that it is never in the way. Pure but for the clock it is given."""

from collections.abc import Callable

ROUNDING = 1e-9
BUSY_SHARE = 0.005
"""The largest share of one core's time that a shadow takes from a device on which pictures always wait.

Fewer than one picture in a hundred then meets it, so that the 99th percentile of live answers stays where it was, and
yet a device that is never idle comes to a decision: 500 frames of 10 ms take 17 minutes.
"""


class Pace:
    """Counts frames and time for one comparison. One thread at a time.

    ``share`` (0..1) of the frames are sampled, evenly and always the same ones. ``spare`` is how many pictures may be
    under way for the device to count as calm. ``clock`` gives monotonic seconds.
    """

    def __init__(self, *, share: float, spare: int, clock: Callable[[], float]) -> None:
        self._share = share
        self._spare = spare
        self._clock = clock
        self._frames = 0
        self._free_at = 0.0

    def samples(self) -> bool:
        """Count one live frame, and tell whether it is among those to be compared."""
        before = int(self._frames * self._share + ROUNDING)
        self._frames += 1
        return int(self._frames * self._share + ROUNDING) > before

    def allows(self, under_way: int) -> bool:
        """Tell whether a frame may be taken now, with ``under_way`` live pictures accepted and not answered."""
        return under_way < self._spare or self._clock() >= self._free_at

    def worked(self, spent_s: float) -> None:
        """Take into account that a frame was worked on for ``spent_s`` seconds until now."""
        self._free_at = self._clock() + spent_s / BUSY_SHARE
