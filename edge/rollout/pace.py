"""Which live frames a shadow takes, so that it is never in the way. Pure but for the clock it is given."""

from collections.abc import Callable

ROUNDING = 1e-9
CALM_SHARE = 0.005
"""The largest share of one core's time that a shadow takes.

A picture that comes while the shadow works meets a core that is taken. As many pictures in a hundred do as the shadow
takes percents of the time: at half a percent, the 99th percentile of live answers does not see them. 500 frames of
5 ms, which is what the shipped model takes, are compared in 8 minutes.
"""
BUSY_SHARE = 0.001
"""The same where pictures wait, for then each of them waits longer. A device that is never idle decides too, later."""


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
        self._ended = 0.0
        self._spent_s = 0.0

    def samples(self) -> bool:
        """Count one live frame, and tell whether it is among those to be compared."""
        before = int(self._frames * self._share + ROUNDING)
        self._frames += 1
        return int(self._frames * self._share + ROUNDING) > before

    def allows(self, under_way: int) -> bool:
        """Tell whether a frame may be taken now, with ``under_way`` live pictures accepted and not answered."""
        rest_s = self._spent_s / (CALM_SHARE if under_way < self._spare else BUSY_SHARE)
        return self._clock() >= self._ended + rest_s

    def worked(self, spent_s: float) -> None:
        """Take into account that a frame was worked on for ``spent_s`` seconds until now."""
        self._ended, self._spent_s = self._clock(), spent_s
