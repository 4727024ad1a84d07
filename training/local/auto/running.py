"""Does what the policy decides, until it stops, the time is up or somebody asks; every step is kept at once.

Knows neither torch nor the disk: trials are fitted behind a port, and the clock is given.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, Protocol

from training.errors import BudgetError, DivergenceError, TrainingError
from training.local.auto.budget import at_least, duration, finishing
from training.local.auto.policy import Fit, Measure, Stop, TooLittle, decide, is_too_slow
from training.local.auto.portfolio import Candidate
from training.local.auto.search import How, Search, Speed, Trial
from training.local.run import Epoch, Fitted
from training.recipe import Recipe

BEATS_S = 2.0
"""How often the time used is kept within an epoch: so much of it is forgotten by a kill, at most."""


class Trials(Protocol):
    """Fits recipes, each in a folder of its own."""

    def measure(self, recipe: Recipe) -> tuple[float, float]:
        """Return the seconds before a fit's first step and of an epoch, with all the pictures; takes a few steps.

        Raises:
            TrainingError: the recipe cannot be fitted here, or the pictures cannot be used.
        """
        ...

    def fit(
        self, folder: str, recipe: Recipe, going: Callable[[float], bool], epoch_done: Callable[[Epoch], bool]
    ) -> Fitted | None:
        """Fit a recipe, or go on with it; return how it ended, None without an epoch done.

        ``going`` is asked at every step, with the share (0..1) of the fit that is done, and ends it at once by False.
        ``epoch_done`` hears of every epoch, those before a kill included, and ends it by False.

        Raises:
            TrainingError: as above, or the loss is no number.
        """
        ...


class Shown(Protocol):
    """What somebody who waits is shown."""

    def say(self, line: str) -> None:
        """Say what is done next, or what came of it."""
        ...

    def progress(self, trial: Trial, share: float, spent: float) -> None:
        """Show how far (0..1) a trial is, and how many seconds of the budget are used."""
        ...


class Stopwatch:
    """The time used of a budget, in seconds, that before a kill included."""

    def __init__(self, clock: Callable[[], float], used: float = 0.0) -> None:
        self._clock = clock
        self._begun = clock() - used

    def spent(self) -> float:
        """Return the seconds used."""
        return self._clock() - self._begun


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """With what a search is run. ``faults`` are errors of a recipe: it is passed over, and the search goes on."""

    trials: Trials
    watch: Stopwatch
    keep: Callable[[Search], None]
    shown: Shown
    asked: Callable[[], bool] = lambda: False
    faults: tuple[type[TrainingError], ...] = (DivergenceError,)


class Runner:
    """Runs one search."""

    def __init__(self, search: Search, portfolio: Sequence[Candidate], means: Means) -> None:
        self.search = search
        self._portfolio = portfolio
        self._means = means
        self._kept = 0.0

    def run(self) -> Search:
        """Go on until nothing more is tried, and return what came of it.

        Raises:
            BudgetError: not one epoch of anything ends in time.
            TrainingError: the pictures cannot be used, or no recipe could be fitted.
        """
        while not self.search.stopped:
            if trial := self.search.under_way:
                self._fit(trial)
            else:
                self._decide()
            self._keep()
        self._check()
        return self.search

    @property
    def left(self) -> float:
        """Seconds before the last fit must have ended."""
        return self.search.request.budget - self._finishing - self._means.watch.spent()

    @property
    def _finishing(self) -> float:
        """Seconds that are kept for the bundle; more on a machine that turned out slow."""
        pictures = [speed.epoch / speed.cost / self.search.facts.training for speed in self.search.speeds.values()]
        return finishing(self.search.request.budget, min(pictures, default=0.0))

    def _decide(self) -> None:
        if self._means.asked():
            self._change(stopped="it was asked to end")
            return
        match decide(self.search, self._portfolio, self.left):
            case Measure(candidate):
                self._measure(candidate)
            case Fit() as action:
                self._begin(action)
            case Stop(why):
                self._change(stopped=why if self.left > 0 else "the time is up")
            case TooLittle(seconds):
                raise self._too_little(seconds)

    def _measure(self, candidate: Candidate) -> None:
        self._means.shown.say(f"measuring {candidate.name}")
        try:
            start, epoch = self._means.trials.measure(candidate.recipe)
        except self._means.faults as exc:
            self._means.shown.say(f"{candidate.name} is passed over: {exc}")
            self._change(unusable={**self.search.unusable, candidate.name: str(exc)})
            return
        speed = Speed(start, max(epoch, 1e-3), candidate.cost)
        self._change(speeds={**self.search.speeds, candidate.like: speed})
        self._means.shown.say(f"{candidate.name} takes {duration(speed.epoch)} an epoch")

    def _begin(self, action: Fit) -> None:
        trial = Trial(
            number=1 + max((trial.number for trial in self.search.trials), default=0),
            candidate=action.candidate.name,
            like=action.candidate.like,
            recipe=action.recipe,
            stage=action.stage,
            why=action.candidate.why,
            expected=round(action.expected, 1),
        )
        self.search = self.search.with_trial(trial)
        epochs = f"{trial.planned} epoch" + "s" * (trial.planned > 1)
        self._means.shown.say(
            f"trial {trial.number}: {trial.candidate} over {epochs}, about {duration(trial.expected)}: {trial.why}"
        )

    def _fit(self, trial: Trial) -> None:
        fit = _Fitting(self, trial, self._means)
        fault = ""
        try:
            fitted = self._means.trials.fit(trial.folder, trial.recipe, fit.going, fit.epoch_done)
        except self._means.faults as exc:
            fitted, fault = None, str(exc)
        ended = fit.ended(fitted, fault)
        self.note(ended)
        self._means.shown.say(f"trial {ended.number}: {_came_of(ended, self.search.facts.metric)}")

    def note(self, trial: Trial) -> None:
        """Take over how a trial stands."""
        self.search = self.search.with_trial(trial)

    def beat(self) -> None:
        """Keep the time used, now and then."""
        if self._means.watch.spent() - self._kept >= BEATS_S:
            self._keep()

    def must_end(self) -> bool:
        """Tell whether the time for fits is over; until an epoch is done, the whole budget is."""
        some = any(trial.epochs for trial in self.search.trials)
        return self.left <= (0 if some else -self._finishing)

    def _change(self, **changes: Any) -> None:
        self.search = replace(self.search, **changes)

    def _keep(self) -> None:
        self._kept = self._means.watch.spent()
        self.search = replace(self.search, spent=round(self._kept, 2))
        self._means.keep(self.search)

    def _check(self) -> None:
        if any(trial.epochs for trial in self.search.trials):
            return
        self._change(stopped="")
        self._keep()
        if self._means.asked():
            raise KeyboardInterrupt
        faults = [*self.search.unusable.values(), *(trial.fault for trial in self.search.trials if trial.fault)]
        if faults:
            raise TrainingError(f"nothing could be fitted; the last reason: {faults[-1]}")
        raise self._too_little(max((trial.seconds for trial in self.search.trials), default=0.0))

    def _too_little(self, seconds: float) -> BudgetError:
        """Name the least: what was used before any fit, the fit, and the bundle; with a fifth to spare."""
        used = self._means.watch.spent() - sum(trial.seconds for trial in self.search.trials)
        needed = at_least(1.2 * (used + seconds + self._finishing))
        return BudgetError(
            f"a budget of {duration(self.search.request.budget)} is too little for one epoch of anything with these "
            f"pictures on this machine; give --budget {needed} at least"
        )


class _Fitting:
    """One fit under way: when it ends, and what is noted of it."""

    def __init__(self, runner: Runner, trial: Trial, means: Means) -> None:
        self._runner = runner
        self._trial = trial
        self._means = means
        self._begun = means.watch.spent() - trial.seconds
        self._how: How = "ended"
        self._told: float | None = None
        self._took: list[float] = []

    def going(self, share: float) -> bool:
        """Tell whether to go on, at every step; where not every epoch is written down, one is ended first."""
        self._means.shown.progress(self._trial, share, self._means.watch.spent())
        self._note()
        self._runner.beat()
        if self._means.asked():
            self._how = "asked"
        elif self._runner.must_end():
            self._how = "time"
        return self._how == "ended" or self._trial.recipe.settings.checkpoint_frequency > 1

    def epoch_done(self, epoch: Epoch) -> bool:
        """Note an epoch, and tell whether to go on."""
        metric = self._runner.search.facts.metric
        best = epoch.validation.get(metric, -1.0) > self._trial.validation.get(metric, -1.0)
        measured = self._runner.search.speeds.get(self._trial.like)
        changes: dict[str, Any] = {"best": epoch.epoch, "validation": dict(epoch.validation)} if best else {}
        now, before = self._means.watch.spent(), self._told
        seconds = epoch.seconds if before is None else max(epoch.seconds, now - before)  # with what is written down
        self._told = now
        self._took.append(seconds)
        pace = median(self._took) / measured.epoch if measured else 0.0
        self._trial = replace(self._trial, epochs=epoch.epoch, pace=round(pace, 3), **changes)
        self._note()
        self._runner.beat()
        if self._how == "ended" and is_too_slow(self._runner.search, self._trial, min(self._took), self._runner.left):
            self._how = "slow"
        return self._how == "ended"

    def ended(self, fitted: Fitted | None, fault: str) -> Trial:
        """Return how it ended."""
        how: How = "failed" if fault else self._how
        known = replace(self._trial, how=how, fault=fault, seconds=self._seconds)
        if fitted is None:
            return known
        best = fitted.best
        if fitted.epochs[-1].epoch == known.planned:
            known = replace(known, how="ended")
        return replace(known, epochs=fitted.epochs[-1].epoch, best=best.epoch, validation=dict(best.validation))

    @property
    def _seconds(self) -> float:
        return round(self._means.watch.spent() - self._begun, 2)

    def _note(self) -> None:
        self._trial = replace(self._trial, seconds=self._seconds)
        self._runner.note(self._trial)


def _came_of(trial: Trial, metric: str) -> str:
    if trial.fault:
        return trial.fault
    figures = f"{metric} {trial.validation[metric]:.4f} on the validation pictures" if trial.validation else "no epoch"
    reasons: Mapping[How, str] = {
        "time": f"; the time is up after {trial.epochs} of {trial.planned} epochs",
        "asked": f"; asked to end after {trial.epochs} of {trial.planned} epochs",
        "slow": "; slower than measured, so the first fit is planned anew",
    }
    return f"{figures}, {duration(trial.seconds)}{reasons.get(trial.how, '')}"
