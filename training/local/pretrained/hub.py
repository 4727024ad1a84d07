"""Weights from the Hugging Face hub, or from its cache on this machine; the hub may be silent for a limited time."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.children import last_line
from edge.limits import SETTINGS, SIGN_IN, environment_without
from training.errors import DataError
from training.local.pretrained.weights import IMAGENET, Normalisation, Weights, read_values

ANSWER_S = 10.0
"""How long the hub may be silent, before it answers and while it sends."""
START_S = 60.0
"""How long the process that asks may take until it asks."""
QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_VERBOSITY": "critical",
}
_ERROR = re.compile(r"^: [\w.]+: ")
"""How a traceback's last line begins: the error's type."""
Say = Callable[[str], object]


class UnavailableError(DataError):
    """The weights cannot be had: no network, no such repository, no room for them."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where a repository's files lie in the cache. ``revision`` is the commit's hash."""

    weights: Path
    config: Path | None
    revision: str


def fetch_weights(repository: str, revision: str, *, signed_in: bool, say: Say, limit_s: float = ANSWER_S) -> Weights:
    """Return a repository's weights; an empty ``revision`` is the newest that the cache has, or else the hub.

    ``signed_in``: the hub is told who asks, if somebody has signed in on this machine.

    Raises:
        UnavailableError: they cannot be had, or the hub is silent for more than ``limit_s`` seconds.
        DataError: what it gives is no file of weights.
    """
    fetched = _fetch(repository, revision, signed_in=signed_in, say=say, limit_s=limit_s)
    weights = Weights(read_values(fetched.weights), f"{repository}@{fetched.revision}")
    return replace(weights, normalisation=_normalisation(fetched.config) if fetched.config else IMAGENET)


def _fetch(repository: str, revision: str, *, signed_in: bool, say: Say, limit_s: float) -> Fetched:
    told: Mapping[str, Any] = {}
    begun = False
    for told in _told(repository, revision, signed_in=signed_in, limit_s=limit_s):
        if told.get("total") and not begun:
            begun = True
            say(f"getting {repository} from the hub, {told['total'] / 1e6:.1f} MB")
    if "weights" not in told:
        raise UnavailableError(f"{repository}: {told.get('problem', 'nothing came')}")
    weights = Path(told["weights"])
    return Fetched(weights, Path(told["config"]) if told["config"] else None, weights.parent.name)


def _told(repository: str, revision: str, *, signed_in: bool, limit_s: float) -> Iterator[Mapping[str, Any]]:
    """Yield what the process that asks the hub says; it is ended where it is silent for too long."""
    with subprocess.Popen(  # noqa: S603 - our own program, no shell
        [sys.executable, "-m", "training.local.pretrained.download", repository, revision, str(os.getpid())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(signed_in=signed_in),
    ) as process:
        silence = _Silence(process.kill)
        try:
            silence.allow(START_S)
            for line in process.stdout or ():
                silence.allow(limit_s)
                yield json.loads(line)
            silence.end()
            if silence.broken:
                raise UnavailableError(f"{repository}: the hub is silent for more than {limit_s:g} s")
            if process.wait():
                said = _ERROR.sub(": ", last_line(process.stderr.read() if process.stderr else b""))
                raise UnavailableError(f"{repository}: cannot be had from the hub{said}")
        finally:
            silence.end()
            process.kill()


class _Silence:
    """Ends what is silent for too long."""

    def __init__(self, end: Callable[[], None]) -> None:
        self._end = end
        self._timer: threading.Timer | None = None
        self.broken = False

    def allow(self, seconds: float) -> None:
        """Count anew: so long it may be silent."""
        self.end()
        self._timer = threading.Timer(seconds, self._break)
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """Count no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _break(self) -> None:
        self.broken = True
        self._end()


def _environment(*, signed_in: bool) -> dict[str, str]:
    apart = {} if signed_in else {"HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}
    return {**environment_without(*SETTINGS, *SIGN_IN), **QUIET, **apart}


def _normalisation(config: Path) -> Normalisation:
    """Return what timm's configuration says of the pictures; ImageNet's where it says nothing."""
    try:
        told = json.loads(config.read_text(encoding="utf-8"))
        told = told.get("pretrained_cfg", told)
        mean, std = (
            tuple(map(float, told.get(name, usual))) for name, usual in zip(("mean", "std"), IMAGENET, strict=True)
        )
    except (OSError, ValueError, TypeError, AttributeError) as exc:
        raise DataError(f"{config}: is no configuration of a network ({exc})") from exc
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise DataError(f"{config}: names no mean and deviation of three colours")
    return mean, std
