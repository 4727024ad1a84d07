"""The mark of a process that is loading a bundle. Who finds one at its start knows what the process before died with.

The mark is not forced to the disk: it has to outlive the process, not the power, and a start shall not wait for it.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from edge.registry.state import Kept

MARK = "loading.json"
REMEMBERED = 20

_log = logging.getLogger(__name__)


class Loading:
    """Knows which bundles processes died with, or were killed, while they loaded them.

    A mark that cannot be read counts as none; one that cannot be written is logged, for it must not keep a model away.
    """

    def __init__(self, root: Path) -> None:
        self._path = root / MARK
        self._deaths: Mapping[str, int] = self._found()

    def deaths_with(self, kept: Kept) -> int:
        """Return how many processes in a row ended while they loaded this bundle."""
        return self._deaths.get(kept.digest, 0)

    def begin(self, kept: Kept) -> None:
        """Mark a bundle as the one that this process is loading."""
        self._write({"name": kept.name, "version": kept.version, "digest": kept.digest})

    def end(self, kept: Kept) -> None:
        """Take the mark away: this process outlived it, or is not going to load that bundle."""
        self._deaths = {digest: times for digest, times in self._deaths.items() if digest != kept.digest}
        if self._deaths:
            self._write(None)
            return
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("the mark of loading stays", extra={"path": str(self._path), "reason": error.strerror})

    def _write(self, loading: Mapping[str, str] | None) -> None:
        partial = self._path.with_name(f".partial-{MARK}")
        try:
            partial.write_text(json.dumps({"loading": loading, "deaths": dict(self._deaths)}), encoding="utf-8")
            partial.replace(self._path)
        except OSError as error:
            _log.warning("a crash while loading would not be noticed", extra={"reason": error.strerror})

    def _found(self) -> Mapping[str, int]:
        try:
            return _counted(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            _log.warning("the mark of loading makes no sense and is passed over", extra={"path": str(self._path)})
            return {}


def _counted(data: bytes) -> Mapping[str, int]:
    """Return how many processes died with each digest, the one that left this mark included."""
    mark = json.loads(data)
    deaths = {str(digest): int(times) for digest, times in mark["deaths"].items()}
    if (loading := mark["loading"]) is not None:
        digest = str(loading["digest"])
        deaths[digest] = deaths.pop(digest, 0) + 1
        model = f"{loading['name']}:{loading['version']}"
        _log.warning(
            "the last process ended while it loaded a model", extra={"model": model, "times_in_a_row": deaths[digest]}
        )
    return dict(list(deaths.items())[-REMEMBERED:])
