"""Marks on the disk: what a process does with a bundle. Who finds one at its start knows what the last one died with.

A mark is not forced to the disk: it has to outlive the process, not the power, and nothing shall wait for it. One that
was made before the system started counts for nothing: then it was the power, or somebody who restarted the machine.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from edge.boot import boot_id
from edge.registry.state import Kept

REMEMBERED = 20

_log = logging.getLogger(__name__)


class Mark:
    """Knows with which bundles processes died, or were killed, while they did one thing: ``doing``, for the log.

    A mark that cannot be read counts as none; one that cannot be written is logged, for it must not keep a model away.
    """

    def __init__(self, path: Path, doing: str) -> None:
        self._path = path
        self._doing = doing
        self._boot = boot_id()
        self._open: str | None = None
        self._deaths: Mapping[str, int] = self._found()

    def deaths_with(self, kept: Kept) -> int:
        """Return how many processes in a row ended while they did it with this bundle."""
        return self._deaths.get(kept.digest, 0)

    def open_with(self, kept: Kept) -> bool:
        """Tell whether the last process had not come to an end of it with this bundle, however that process ended."""
        return self._open == kept.digest

    def begin(self, kept: Kept) -> None:
        """Mark a bundle as the one that this process does it with."""
        self._write({"name": kept.name, "version": kept.version, "digest": kept.digest})

    def pause(self, kept: Kept) -> None:
        """Say that this process stops as it should, and the next one may go on."""
        self._write({"name": kept.name, "version": kept.version, "digest": kept.digest}, stopped=True)

    def end(self, kept: Kept) -> None:
        """Take the mark away: this process outlived it, or is not going to do it."""
        self._deaths = {digest: times for digest, times in self._deaths.items() if digest != kept.digest}
        if self._deaths:
            self._write(None)
            return
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("a mark stays", extra={"path": str(self._path), "reason": error.strerror})

    def _write(self, at: Mapping[str, str] | None, *, stopped: bool = False) -> None:
        partial = self._path.with_name(f".partial-{self._path.name}")
        try:
            body = {"boot": self._boot, "at": at, "stopped": stopped, "deaths": dict(self._deaths)}
            partial.write_text(json.dumps(body), encoding="utf-8")
            partial.replace(self._path)
        except OSError as error:
            told = {"reason": error.strerror, "doing": self._doing}
            _log.warning("a crash would not be noticed as that of a model", extra=told)

    def _found(self) -> Mapping[str, int]:
        try:
            return self._counted(self._path.read_bytes())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            _log.warning("a mark makes no sense and is passed over", extra={"path": str(self._path)})
            return {}

    def _counted(self, data: bytes) -> Mapping[str, int]:
        """Return how many processes died with each digest, the one that left this mark included."""
        mark = json.loads(data)
        deaths = {str(digest): int(times) for digest, times in mark["deaths"].items()}
        at = mark["at"]
        self._open = None if at is None else str(at["digest"])
        if at is not None and mark["boot"] == self._boot and not mark["stopped"]:
            digest = str(at["digest"])
            deaths[digest] = deaths.pop(digest, 0) + 1
            told = {"model": f"{at['name']}:{at['version']}", "doing": self._doing, "times_in_a_row": deaths[digest]}
            _log.warning("the last process ended with a model", extra=told)
        return dict(list(deaths.items())[-REMEMBERED:])
