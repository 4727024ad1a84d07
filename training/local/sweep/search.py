"""The sweep itself: proposes trials, has them run, ends those that will not win, and keeps account of all."""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from training.errors import StorageError, TrainingError
from training.hyperparameters import Value
from training.leaderboard import State
from training.local.sweep.ledger import Ledger, Proposal, Sampling
from training.local.sweep.places import Broken, Fitted, News, Reported, Workplace
from training.local.sweep.policies import AnyPolicy, ends

POLL_S = 1.0
"""How long is waited for news before the time is looked at."""


@dataclass(frozen=True, slots=True)
class Order:
    """A trial ready to be run: its folder, which holds its run, and over how many epochs it goes."""

    folder: Path
    epochs: int


@dataclass(frozen=True, slots=True)
class Began:
    """A trial runs, with what was drawn for it; ``again`` where it was begun before."""

    number: int
    drawn: Mapping[str, Value]
    epochs: int
    again: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """A trial has done an epoch; ``value`` is its primary metric, None where nothing was judged."""

    number: int
    epoch: int
    value: float | None


@dataclass(frozen=True, slots=True)
class Over:
    """A trial has ended."""

    number: int
    state: State
    value: float | None = None
    reason: str | None = None


Event = Began | Progress | Over
Watch = Callable[[Event], None]


@dataclass(kw_only=True)
class Search:
    """A sweep on a place. ``prepare`` makes a proposal's folder ready; ``left_s`` says how much time there is."""

    ledger: Ledger
    sampling: Sampling
    policy: AnyPolicy | None
    metric: str
    place: Workplace
    concurrent: int
    prepare: Callable[[Proposal], Order]
    watch: Watch
    left_s: Callable[[], float]
    _running: dict[int, Order] = field(default_factory=dict)
    _again: deque[Proposal] = field(default_factory=deque)

    def run(self) -> bool:
        """Run until every trial has ended (True), or the time is over (False).

        Raises:
            TrainingError: the place, or the disk, is gone. What was begun can be gone on with, then as after a kill.
        """
        self._again.extend(self.ledger.unfinished(self.sampling))
        try:
            while self._begin_more():
                left = self.left_s()
                if left <= 0:
                    return False
                news = self.place.next_news(min(POLL_S, left))
                if news is not None and news.number in self._running:
                    self._hear(news)
        finally:
            self.place.close()
        return True

    def _begin_more(self) -> bool:
        """Begin as many trials as may run at a time; tell whether any runs."""
        while len(self._running) < self.concurrent:
            again = bool(self._again)
            proposal = self._again.popleft() if again else self.ledger.propose(self.sampling)
            if proposal is None:
                break
            self._begin(proposal, again=again)
        return bool(self._running)

    def _begin(self, proposal: Proposal, *, again: bool) -> None:
        try:
            order = self.prepare(proposal)
        except StorageError:
            raise  # no fault of the trial's: it is begun once there is room
        except TrainingError as error:
            self._fail(proposal.number, str(error))
            return
        self._running[proposal.number] = order
        drawn = {name: value for name, value in proposal.hyperparameters.items() if name not in self.sampling.fixed}
        self.watch(Began(proposal.number, drawn, order.epochs, again))
        self.place.begin(proposal.number, order.folder)

    def _hear(self, news: News) -> None:
        if isinstance(news, Reported):
            self._judge(news)
        elif isinstance(news, Fitted):
            self._finish(news)
        else:
            self._break(news)

    def _judge(self, news: Reported) -> None:
        number, epoch = news.number, news.epoch
        value = epoch.validation.get(self.metric)
        told_before = value is None or self.ledger.has_later(number, epoch.epoch)
        if value is not None:
            self.ledger.report(number, epoch.epoch, value)
        self.watch(Progress(number, epoch.epoch, value))
        last = epoch.epoch >= self._running[number].epochs
        ended = not told_before and not last and ends(self.policy, self.ledger.curves(), number)
        self.place.answer(number, going=not ended)

    def _finish(self, news: Fitted) -> None:
        del self._running[news.number]
        value = news.best.validation.get(self.metric)
        if value is None:
            self._fail(news.number, f"has no {self.metric}: nothing was judged")
            return
        if news.asked:
            self.ledger.finish(news.number, "terminated", metrics=news.best.validation)
        else:
            self.ledger.finish(news.number, "completed", metrics=news.best.validation, value=value)
        self.watch(Over(news.number, "terminated" if news.asked else "completed", value))

    def _break(self, news: Broken) -> None:
        if news.disk:
            raise StorageError(f"trial {news.number}: {news.reason}")  # begun again once there is room
        del self._running[news.number]
        self._fail(news.number, news.reason)

    def _fail(self, number: int, reason: str) -> None:
        self.ledger.finish(number, "failed", reason=reason)
        self.watch(Over(number, "failed", reason=reason))
