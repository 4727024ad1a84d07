"""Trials that follow a script in their folder: as a program for real places, and a place that needs no processes.

The script tells the figures of each epoch and how it ends: ``fitted``, ``broken``, ``full``, ``crash``, or ``hang``.
"""

import json
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.local.run import Epoch
from training.local.sweep.places import Broken, Fitted, News, Reported

SCRIPT = "script.json"
METRIC = "accuracy"


def write_script(folder: Path, values: Sequence[float], ending: str = "fitted") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    epochs = [asdict(epoch(number, value)) for number, value in enumerate(values, 1)]
    (folder / SCRIPT).write_text(json.dumps({"epochs": epochs, "ending": ending}))
    return folder


def epoch(number: int, value: float) -> Epoch:
    return Epoch(number, 0.1, 0.01, 1.0, 0.5, {METRIC: value})


def played_program(folder: Path) -> Sequence[str]:
    """Return the command that plays the script in a folder."""
    return (sys.executable, str(Path(__file__).with_name("played_trial.py")), str(folder))


class Stage:
    """A place whose trials are played here, at once: one step of each in turn."""

    def __init__(self) -> None:
        self._turns: deque[tuple[int, list[Mapping[str, Any]], str]] = deque()
        self._asked: dict[int, tuple[int, list[Mapping[str, Any]], str]] = {}
        self._last: dict[int, list[Epoch]] = {}
        self.begun: list[int] = []
        self.closed = False

    def begin(self, number: int, folder: Path) -> None:
        script = json.loads((folder / SCRIPT).read_text())
        self._turns.append((number, script["epochs"], script["ending"]))
        self._last[number] = []
        self.begun.append(number)

    def next_news(self, timeout_s: float) -> News | None:  # noqa: ARG002 - nothing takes time here
        for _ in range(len(self._turns)):
            number, epochs, ending = self._turns.popleft()
            if epochs:
                told = Epoch(**epochs[0])
                self._last[number].append(told)
                self._asked[number] = (number, epochs[1:], ending)
                return Reported(number, told)
            if ending == "hang":
                self._turns.append((number, epochs, ending))
                continue
            return self._ended(number, ending)
        return None

    def _ended(self, number: int, ending: str) -> News:
        if ending in ("fitted", "asked"):
            best = max(self._last[number], key=lambda told: told.validation[METRIC])
            return Fitted(number, best, ending == "asked")
        if ending == "full":
            return Broken(number, "no room", disk=True)
        return Broken(number, "ended with exit code 3: boom" if ending == "crash" else "the loss became nan")

    def answer(self, number: int, *, going: bool) -> None:
        turn = self._asked.pop(number)
        self._turns.append(turn if going else (number, [], "asked"))

    def close(self) -> None:
        self._turns.clear()
        self.closed = True
