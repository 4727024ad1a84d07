"""Finds the message for which a broker ends the connection each time, so that it cannot hold up all others for ever.

A broker ends a connection for a packet that it finds too large or malformed, and says no more than that. Such a message
is the oldest that waits, so it would be sent again at once, and the next connection ended too.
"""

CAREFUL_FROM = 2
"""After so many connections in a row that ended with the same message unacknowledged, it is sent alone."""
CONVICTED_AT = 6
"""After so many, it is the message."""
SOON_S = 3.0
"""A connection that ends later after the sending ended for another reason: a broker that hangs, a cut network."""


class Suspicion:
    """Counts what happened to the oldest message. Used by the publisher's own thread only."""

    def __init__(self) -> None:
        self._suspect: int | None = None
        self._strikes = 0
        self._convicted: set[int] = set()

    @property
    def careful(self) -> bool:
        """Whether the oldest message must be sent alone, and only once the broker has acknowledged another one."""
        return self._strikes >= CAREFUL_FROM

    def __contains__(self, id_: int) -> bool:
        """Tell whether the broker ends each connection that brings this entry."""
        return id_ in self._convicted

    def moved(self, id_: int) -> None:
        """Note that the broker has acknowledged an entry."""
        self._convicted.discard(id_)
        if id_ == self._suspect:
            self._suspect, self._strikes = None, 0

    def ended(self, oldest: int | None, *, sent_s: float) -> int | None:
        """Note that the broker ended the connection ``sent_s`` seconds after ``oldest`` was sent; None: nothing was.

        Return the entry that is now convicted, None where none is.
        """
        if oldest is None or sent_s > SOON_S or oldest in self._convicted:
            return None
        self._strikes = self._strikes + 1 if oldest == self._suspect else 1
        self._suspect = oldest
        if self._strikes < CONVICTED_AT:
            return None
        self._convicted.add(oldest)
        self._suspect, self._strikes = None, 0
        return oldest
