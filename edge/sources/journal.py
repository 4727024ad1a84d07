"""Remembers, across restarts, which files of a folder were delivered: a line of JSON a file, only ever appended to."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.errors import SourceError

SPARE_ENTRIES = 100
"""A journal this much longer than the folder is not worth shortening."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One state of one file: another picture under the same name is another ``Seen``."""

    name: str
    size_bytes: int
    mtime_ns: int

    @property
    def line(self) -> str:
        """The journal's line, in ASCII so that any file name survives."""
        return json.dumps([self.name, self.size_bytes, self.mtime_ns]) + "\n"


class Journal:
    """What was delivered. Raises SourceError where the file cannot be read or written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: set[Seen] = set()

    def __contains__(self, seen: object) -> bool:
        return seen in self._seen

    def load(self, present: Iterable[Seen]) -> None:
        """Read the journal. Files that are gone are forgotten once they are most of it.

        A folder that shows none of the recorded files forgets nothing: its share may not be mounted yet.
        """
        self._seen, torn = self._read()
        kept = self._seen & set(present)
        if torn or (kept and len(self._seen) > 2 * len(kept) + SPARE_ENTRIES):
            self._seen = kept or self._seen
            self._rewrite()

    def add(self, seen: Seen) -> None:
        """Remember a file for good."""
        self._seen.add(seen)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="ascii") as file:
                file.write(seen.line)
        except OSError as exc:
            raise self._explained("written", exc) from exc

    def _read(self) -> tuple[set[Seen], bool]:
        """Return the entries, and whether a power cut left half a line."""
        try:
            text = self._path.read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            return set(), False
        except OSError as exc:
            raise self._explained("read", exc) from exc
        parsed = [_parse(line) for line in text.splitlines()]
        return {seen for seen in parsed if seen is not None}, None in parsed

    def _rewrite(self) -> None:
        fresh = self._path.with_name(f"{self._path.name}.new")
        try:
            fresh.write_text("".join(seen.line for seen in self._seen), encoding="ascii")
            fresh.replace(self._path)
        except OSError as exc:
            raise self._explained("written", exc) from exc

    def _explained(self, what: str, exc: OSError) -> SourceError:
        msg = f"the journal {self._path} cannot be {what}: {exc.strerror}; check its folder's rights and free space"
        return SourceError(msg)


def _parse(line: str) -> Seen | None:
    """Return a line's entry; None for the rest of a line that a power cut left."""
    try:
        name, size_bytes, mtime_ns = json.loads(line)
        return Seen(str(name), int(size_bytes), int(mtime_ns))
    except (ValueError, TypeError):
        return None
