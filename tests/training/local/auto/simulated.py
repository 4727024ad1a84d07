"""Trials that take simulated seconds and answer by a formula, so that a search of hours is tested in milliseconds."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from training.dataset.annotations import MULTICLASS
from training.local.auto.facts import Facts
from training.local.auto.portfolio import COSTS, Candidate, portfolio
from training.local.auto.running import Means, Runner, Stopwatch
from training.local.auto.search import Request, Search, Trial
from training.local.run import Epoch, Fitted
from training.recipe import Recipe

STEPS_PER_EPOCH = 4


class Clock:
    """A clock that only moves when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def learning(recipe: Recipe, epoch: int) -> float:
    """Accuracy rises towards 0.98, better at the end of a schedule, a little better at larger sides."""
    share = epoch / recipe.settings.number_of_epochs
    ceiling = 0.97 + 0.01 * min(1, recipe.settings.training_crop_size / 224)
    return ceiling * (1 - math.exp(-epoch / 8)) * (0.9 + 0.1 * share)


@dataclass
class SimulatedTrials:
    """``picture`` is what training on one at 96 px takes in seconds; ``busy`` how many times as long as measured."""

    clock: Clock
    training: int
    picture: float = 0.01
    busy: float = 1.0
    formula: Callable[[Recipe, int], float] = learning
    faults: dict[str, Exception] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)

    def epoch_seconds(self, recipe: Recipe) -> float:
        side = recipe.settings.training_crop_size
        return self.picture * self.training * COSTS[recipe.model](side)

    def measure(self, recipe: Recipe) -> tuple[float, float]:
        self.clock.now += 200 * self.picture
        return 1.0, self.epoch_seconds(recipe)

    def fit(
        self, folder: str, recipe: Recipe, going: Callable[[float], bool], epoch_done: Callable[[Epoch], bool]
    ) -> Fitted | None:
        self.begun.append(folder)
        self.clock.now += 1.0
        name = folder.partition("-")[2]
        if name in self.faults:
            raise self.faults[name]
        epochs: list[Epoch] = []
        seconds, planned = self.busy * self.epoch_seconds(recipe), recipe.settings.number_of_epochs
        for number in range(1, planned + 1):
            for step in range(1, STEPS_PER_EPOCH + 1):
                self.clock.now += seconds / STEPS_PER_EPOCH
                if not going((number - 1 + step / STEPS_PER_EPOCH) / planned):
                    return _fitted(epochs)
            accuracy = self.formula(recipe, number)
            epochs.append(Epoch(number, seconds, 0.001, 1.0, 0.9, {"accuracy": accuracy, "log_loss": 1 - accuracy}))
            if not epoch_done(epochs[-1]):
                break
        return _fitted(epochs)


def _fitted(epochs: list[Epoch]) -> Fitted | None:
    if not epochs:
        return None
    best = max(epochs, key=lambda epoch: epoch.validation["accuracy"])
    return Fitted(best=best, epochs=tuple(epochs), how="ended")


class Silent:
    """Shows nobody anything, and keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)

    def progress(self, trial: Trial, share: float, spent: float) -> None:
        pass


def facts(training: int = 840, side: int = 200, **changes: object) -> Facts:
    counts = dict.fromkeys("abcdef", training // 6)
    known = Facts(task=MULTICLASS, counts=counts, training=training, validation=240, test=120, side=side, shape=1.0)
    return replace(known, **changes)  # type: ignore[arg-type] # fields by name


def search(budget: int, known: Facts | None = None) -> Search:
    request = Request(
        budget=budget,
        sha256="",
        classes=tuple("abcdef"),
        validation_share=0.2,
        test_share=0.1,
        seed=0,
        threads=2,
        device="cpu",
    )
    return Search(request=request, facts=known or facts())


@dataclass
class Simulation:
    """A search being run: what is kept of it, and when."""

    begun: Search
    trials: SimulatedTrials
    kept: list[Search] = field(default_factory=list)
    shown: Silent = field(default_factory=Silent)
    asked: Callable[[], bool] = lambda: False

    def run(self, candidates: tuple[Candidate, ...] | None = None) -> Search:
        means = Means(
            trials=self.trials,
            watch=Stopwatch(self.trials.clock, self.begun.spent),
            keep=self.kept.append,
            shown=self.shown,
            asked=self.asked,
        )
        candidates = candidates or portfolio(self.begun.facts, seed=0)
        return Runner(self.begun, candidates, means).run()


def simulation(budget: int, known: Facts | None = None, **trials: object) -> Simulation:
    begun = search(budget, known)
    return Simulation(begun, SimulatedTrials(Clock(), begun.facts.training, **trials))  # type: ignore[arg-type] # by name
