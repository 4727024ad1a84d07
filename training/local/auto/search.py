"""What AutoMode has tried so far, and what came of it: all that it needs to go on after a kill.

Kept in ``auto.json``, which is replaced in one step after every decision and every epoch.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from edge.durable import replace_file
from training.errors import DataError
from training.local.auto.facts import Facts
from training.recipe import Recipe, recipe_from

SCHEMA = "automl-edge/auto/1"
SEARCH_FILE = "auto.json"
STORY_FILE = "story.md"
TRIALS_FOLDER = "trials"

Stage = Literal["whole", "short"]
"""``short``: over a quarter of the epochs, to see which candidates are worth a whole fit."""
How = Literal["under way", "ended", "time", "slow", "asked", "failed"]
"""``ended``: all its epochs; ``time``: the budget was over; ``slow``: it would not have ended in time, and what is
tried was planned anew; ``asked``: somebody asked to end; ``failed``: see its ``fault``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for. All but the budget must be the same when a search is gone on with. Times in seconds.

    ``threads``: 0 as long as they are not chosen.
    """

    budget: int
    sha256: str
    classes: tuple[str, ...]
    validation_share: float
    test_share: float
    seed: int
    threads: int
    device: Literal["auto", "cpu", "gpu"]


@dataclass(frozen=True, slots=True)
class Speed:
    """What a candidate takes on this machine, with all the pictures, in seconds: before the first step, and an epoch.

    ``cost`` is what was guessed of it; see :class:`training.local.auto.portfolio.Candidate`.
    """

    start: float
    epoch: float
    cost: float

    def seconds(self, epochs: int) -> float:
        """Return what a fit over so many epochs takes."""
        return self.start + epochs * self.epoch

    def slower(self, factor: float) -> "Speed":
        """Return the speed where everything takes so many times as long."""
        return replace(self, start=self.start * factor, epoch=self.epoch * factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A fit. ``epochs`` is how many are done of the recipe's; ``validation`` are the figures of the ``best`` one.
    ``like`` names the measured speed that counts for it.

    ``expected`` and ``seconds`` are what it should take and took so far, ``pace`` how many times as long an epoch took
    as was expected (0: none is done).
    """

    number: int
    candidate: str
    like: str
    recipe: Recipe
    stage: Stage
    why: str
    expected: float
    seconds: float = 0.0
    epochs: int = 0
    best: int = 0
    pace: float = 0.0
    validation: Mapping[str, float] = field(default_factory=dict)
    how: How = "under way"
    fault: str = ""

    @property
    def planned(self) -> int:
        """Over how many epochs it was to go."""
        return self.recipe.settings.number_of_epochs

    @property
    def folder(self) -> str:
        """The name of its folder."""
        return f"{self.number:02}-{self.candidate}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What was returned. Shares are 0..1 of the pictures; ``rival`` is the second best, 0 where there is none.

    ``only_chosen`` and ``only_rival`` count validation pictures that only the one answers rightly, ``chance`` is
    McNemar's. ``test`` are figures on the pictures kept aside, empty where there are none.
    """

    chosen: int
    rival: int = 0
    only_chosen: int = 0
    only_rival: int = 0
    chance: float = 1.0
    passed_over: tuple[str, ...] = ()
    test: Mapping[str, Any] = field(default_factory=dict)
    bundle: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """All of it. ``spent`` seconds of the budget are used; ``stopped`` says why no more is tried, empty: it goes on.

    ``pretrained`` says, by network, where weights for it are; ``unusable``, by candidate, why it is not tried.
    """

    request: Request
    facts: Facts
    spent: float = 0.0
    speeds: Mapping[str, Speed] = field(default_factory=dict)
    unusable: Mapping[str, str] = field(default_factory=dict)
    pretrained: Mapping[str, str] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()
    stopped: str = ""
    outcome: Outcome | None = None

    @property
    def under_way(self) -> Trial | None:
        """The trial that was begun and has not ended."""
        return next((trial for trial in self.trials if trial.how == "under way"), None)

    def with_trial(self, trial: Trial) -> "Search":
        """Return the search with a trial added, or in place of the one of its number."""
        others = tuple(known for known in self.trials if known.number != trial.number)
        return replace(self, trials=(*others, trial))

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        told = {"schema": SCHEMA, **asdict(self)}
        told["trials"] = [{**asdict(trial), "recipe": trial.recipe.as_dict()} for trial in self.trials]
        return told


def write_search(folder: Path, search: Search) -> None:
    """Write ``auto.json`` into a folder. Raises OSError."""
    path = folder / SEARCH_FILE
    data = (json.dumps(search.as_dict(), indent=1, ensure_ascii=False) + "\n").encode()
    replace_file(path, data, partial=path.with_suffix(".partial"))


def read_search(folder: Path) -> Search | None:
    """Return the search that a folder holds; None where there is none.

    Raises:
        DataError: the file is none of this version's, or cannot be read.
    """
    path = folder / SEARCH_FILE
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told.pop("schema") != SCHEMA:
            raise ValueError("another schema")
        return _search(told)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise DataError(f"{path}: cannot be read ({exc.strerror})") from exc
    except (ValueError, TypeError, LookupError, AttributeError, DataError) as exc:
        raise DataError(f"{path}: is no search of this version ({exc}); give another --folder, or remove it") from exc


def _search(told: Mapping[str, Any]) -> Search:
    request = {**told["request"], "classes": tuple(told["request"]["classes"])}
    outcome = told["outcome"]
    return Search(
        **{
            **told,
            "request": Request(**request),
            "facts": Facts(**told["facts"]),
            "speeds": {name: Speed(**speed) for name, speed in told["speeds"].items()},
            "trials": tuple(Trial(**{**trial, "recipe": recipe_from(trial["recipe"])}) for trial in told["trials"]),
            "outcome": outcome and Outcome(**{**outcome, "passed_over": tuple(outcome["passed_over"])}),
        }
    )
