"""Which numbers are missing among entries that are loaded in order. Pure."""

from edge.publishers.outbox import Dropped, Queued, numbers

Gap = tuple[int, Dropped]
"""A record of what is missing, with an id for it that comes before the next entry's and that no entry has."""


class Gaps:
    """Follows the entries as they are loaded. For one thread at a time.

    An entry outside of the numbering says nothing of what is missing: the place for a record is kept for the next.
    """

    def __init__(self) -> None:
        self._seq_before: int | None = None  # the newest number that was loaded
        self._id_before = 0  # the newest good entry that was loaded
        self._damaged_at = 0  # a damaged entry behind it, whose number is not named yet
        self._free_id = 0  # a record of what is missing before the next number may have it

    @property
    def open(self) -> bool:
        """Whether the number of a damaged entry is still to be named."""
        return self._damaged_at != 0

    def put(self, id_: int, seq: int) -> None:
        """Follow an entry that was put right behind what is loaded; ``seq`` is 0 outside of the numbering."""
        self._seq_before, self._id_before, self._free_id = seq or self._seq_before, id_, 0

    def before(self, entry: Queued) -> Gap | None:
        """Follow a good entry; return what is missing before it."""
        first, last = numbers(entry)
        if entry.id - 1 > self._id_before:
            self._free_id = entry.id - 1
        self._id_before = entry.id
        if not first:
            return None
        gap = self._up_to(first, self._free_id)
        self._damaged_at = self._free_id = 0
        self._seq_before = max(self._seq_before or 0, last)
        return gap

    def damaged(self, id_: int, claimed_seq: int, *, floor: int, newest: int) -> None:
        """Follow a damaged entry: its number is named when the next good one comes.

        Where it is the first of all it tells where the numbers begin, if what it claims lies between ``floor``, up to
        which all have left, and the ``newest``.
        """
        self._damaged_at = id_
        if self._seq_before is None:
            self._seq_before = claimed_seq - 1 if floor < claimed_seq <= newest else floor

    def end(self, newest: int) -> Gap | None:
        """Return what is missing at the end, up to the ``newest`` number that was given."""
        gap = self._up_to(newest + 1, self._damaged_at)
        self._damaged_at = self._free_id = 0
        return gap

    def _up_to(self, first: int, id_: int) -> Gap | None:
        if self._seq_before is None or self._seq_before >= first - 1 or not id_:
            return None
        record = Dropped(self._seq_before + 1, first - 1, "damaged")
        self._seq_before = first - 1
        return id_, record
