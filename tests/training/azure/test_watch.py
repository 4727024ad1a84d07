"""A job is followed over the real SDK; the clock is the test's own."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from edge.azureml.cloud import read_cloud
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.simulation import RunningJob, Trial, automl_job, running_job
from tests.azure.standin import Cloud
from training.azure.job_views import JobView
from training.azure.session import Session
from training.azure.watch import (
    MOST_SPREAD,
    SIGNED_OUT_S,
    Back,
    Lost,
    News,
    Pace,
    Seen,
    TimedOut,
    changed_trials,
    follow,
)
from training.errors import AzureError, AzureUnavailableError
from training.leaderboard import Trial as Tried

JOB = r"GET .*/jobs/line$"


class Clock:
    """Time that only sleeping moves; ``then`` happens after each sleep."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []
        self._then = then

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
        self._then()

    def pace(self) -> Pace:
        return Pace(clock=lambda: self.now, sleep=self.sleep)


@pytest.fixture
def session(azure: Cloud, tmp_path: Path) -> Iterator[Session]:
    place = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    with closing(Session(place, Identity("managed-identity"), read_cloud(str(azure.cloud_file(tmp_path))))) as opened:
        yield opened


@pytest.fixture
def job(azure: Cloud) -> RunningJob:
    trials = [
        Trial(0, {"model_name": "resnet18"}, {"accuracy": [0.2, 0.8]}),
        Trial(1, {"model_name": "resnet50"}, {}, "Failed", "no memory"),
    ]
    return running_job(azure, "line", trials=trials, artifacts={})


def told(news: Iterator[News]) -> list[object]:
    """Return news in short."""
    short: list[object] = []
    for piece in news:
        if isinstance(piece, Seen):
            short.append((piece.view.status, [(t.state, t.score) for t in piece.view.trials], dict(piece.reasons)))
        else:
            short.append(piece)
    return short


def test_a_job_is_followed_to_its_end(session: Session, job: RunningJob) -> None:
    """Each poll is told of; why a trial failed is asked when it fails; the end ends it without another wait."""
    clock = Clock(job.advance)
    running, done = ("running", 0.8), ("completed", 0.8)
    assert told(follow(session, "line", pace=clock.pace())) == [
        ("Queued", [], {}),
        ("Running", [("running", None)], {}),
        ("Running", [("running", 0.2)], {}),
        ("Running", [running], {}),
        ("Running", [done, ("running", None)], {}),
        ("Completed", [done, ("failed", None)], {"line_HD_1": "no memory"}),
    ]
    assert clock.sleeps == [15.0] * 5


def test_a_failed_job_says_why(azure: Cloud, session: Session) -> None:
    """Azure's message of the job, and of its trials."""
    trials = [Trial(0, {}, {}, "Failed", "no memory"), Trial(1, {}, {}, "Failed")]
    automl_job(azure, "line", trials=trials, status="Failed", error="all trials failed", artifacts={})
    (last,) = follow(session, "line")
    assert isinstance(last, Seen)
    assert last.reasons == {
        "line": "all trials failed",
        "line_HD_0": "no memory",
        "line_HD_1": "Azure does not say why",
    }


def test_why_it_failed_may_not_be_asked(azure: Cloud, session: Session) -> None:
    """That the reason is refused changes nothing about the end."""
    automl_job(azure, "line", trials=[], status="Failed", error="secret", artifacts={})
    azure.wire.break_(r"GET /history/.*/details", 403)
    (last,) = follow(session, "line")
    assert isinstance(last, Seen)
    assert (last.view.state, last.reasons) == ("failed", {"line": "Azure does not say why"})


def test_the_reason_is_asked_again_when_azure_is_back(azure: Cloud, session: Session) -> None:
    """The end is not told without it."""
    automl_job(azure, "line", trials=[], status="Failed", error="no quota", artifacts={})
    azure.wire.break_(r"GET /history/.*/details", 503, times=1)
    lost, back, last = follow(session, "line", pace=Clock().pace())
    assert isinstance(lost, Lost)
    assert isinstance(back, Back)
    assert isinstance(last, Seen)
    assert last.reasons == {"line": "no quota"}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_loss_is_lived_through(azure: Cloud, session: Session, job: RunningJob, status: int) -> None:
    """It is told once, tried again ever more slowly, and that Azure is back is told too."""
    clock = Clock(job.advance)
    news = follow(session, "line", pace=clock.pace())
    assert isinstance(next(news), Seen)
    azure.wire.break_(JOB, status, times=8)
    rest = told(news)
    assert isinstance(rest[0], Lost)
    assert "asking for the job line: " in rest[0].why
    assert isinstance(rest[1], Back)
    assert rest[1].after_s == pytest.approx(sum(clock.sleeps[1:9]))
    assert isinstance(rest[2], tuple)
    assert rest[2][0] == "Completed"
    waits = [wait / wanted for wait, wanted in zip(clock.sleeps[1:], [2, 4, 8, 16, 32, 60, 60, 60], strict=True)]
    assert all(0.8 <= wait <= 1.2 for wait in waits)


def test_silence_is_a_loss_too(azure: Cloud, session: Session, job: RunningJob) -> None:
    """A request that nobody answers ends by the session's own time."""
    clock = Clock(job.finish)
    news = follow(replace(session, timeout_s=0.3), "line", pace=clock.pace())
    next(news)
    azure.wire.break_(JOB, hang_s=30, times=1)
    rest = told(news)
    azure.wire.mend()
    assert isinstance(rest[0], Lost)
    assert isinstance(rest[1], Back)


@pytest.mark.parametrize("wish", ["7", "500"])
def test_azures_own_wish_is_kept_to(azure: Cloud, session: Session, job: RunningJob, wish: str) -> None:
    """Throttled, nothing is asked before the time that Azure names."""
    clock = Clock(job.finish)
    news = follow(session, "line", pace=clock.pace())
    next(news)
    azure.wire.break_(JOB, 429, headers={"Retry-After": wish}, times=1)
    before = azure.wire.count("GET", r"/jobs/line$")
    assert len(told(news)) == 3
    assert clock.sleeps[1] == float(wish)
    assert azure.wire.count("GET", r"/jobs/line$") == before + 2


def test_a_token_that_is_refused_is_fetched_anew(azure: Cloud, session: Session, job: RunningJob) -> None:
    """An identity that worked is signed in again; the job goes on."""
    clock = Clock(job.advance)
    news = follow(session, "line", pace=clock.pace())
    next(news)
    tokens = azure.wire.count("GET", "/msi/token")
    azure.wire.break_(JOB, 401, times=1)
    rest = told(news)
    assert isinstance(rest[0], Lost)
    assert isinstance(rest[1], Back)
    assert azure.wire.count("GET", "/msi/token") > tokens


def test_an_identity_that_stays_refused_ends_the_watching(azure: Cloud, session: Session, job: RunningJob) -> None:
    """After an hour nobody waits for it any more; the last wait may begin just before it, and last its longest."""
    clock = Clock(job.advance)
    news = follow(session, "line", pace=clock.pace())
    next(news)
    azure.wire.break_(JOB, 401)
    with pytest.raises(AzureError, match="asking for the job line"):
        list(news)
    assert SIGNED_OUT_S <= sum(clock.sleeps[1:]) <= SIGNED_OUT_S + Pace().longest_s * MOST_SPREAD


def test_a_right_that_lacks_ends_the_watching(azure: Cloud, session: Session, job: RunningJob) -> None:
    """Waiting does not help against it."""
    clock = Clock(job.advance)
    news = follow(session, "line", pace=clock.pace())
    next(news)
    azure.wire.break_(JOB, 403)
    with pytest.raises(AzureError, match="asking for the job line"):
        list(news)
    assert len(clock.sleeps) == 1


def test_who_begins_learns_soon_that_azure_is_away(azure: Cloud, session: Session, job: RunningJob) -> None:
    """Nothing was heard of the job yet: three tries, and the error."""
    clock = Clock(job.advance)
    azure.wire.break_(JOB, 503)
    news = follow(session, "line", pace=clock.pace())
    assert isinstance(next(news), Lost)
    with pytest.raises(AzureUnavailableError, match="asking for the job line"):
        list(news)
    assert len(clock.sleeps) == 2


def test_an_unknown_job_is_no_loss(session: Session) -> None:
    """Nothing is tried again."""
    clock = Clock()
    with pytest.raises(AzureError, match="asking for the job nobody"):
        list(follow(session, "nobody", pace=clock.pace()))
    assert clock.sleeps == []


def test_watching_ends_in_time(session: Session, job: RunningJob) -> None:
    """The last wait is cut short; the job goes on."""
    clock = Clock()
    last = list(follow(session, "line", pace=clock.pace(), timeout_s=40))[-1]
    assert isinstance(last, TimedOut)
    assert last.view is not None
    assert last.view.state == "waiting"
    assert clock.sleeps == [15.0, 15.0, 10.0]
    assert not job.ended


def test_watching_ends_in_time_also_while_azure_is_away(azure: Cloud, session: Session, job: RunningJob) -> None:
    """A loss does not outlast the time to watch."""
    clock = Clock(job.advance)
    news = follow(session, "line", pace=clock.pace(), timeout_s=60)
    next(news)
    azure.wire.break_(JOB, 503)
    rest = list(news)
    assert isinstance(rest[-1], TimedOut)
    assert clock.now == 60


def test_a_trial_is_news_when_it_is_new_or_another() -> None:
    """State and metrics count; times do not."""
    before = JobView("line", "automl", "running", "Running", trials=(Tried("a", "running"), Tried("b", "waiting")))
    trials = (Tried("a", "running", metrics={"accuracy": 0.1}), Tried("b", "waiting"), Tried("c", "waiting"))
    now = JobView("line", "automl", "running", "Running", trials=trials)
    assert [trial.name for trial in changed_trials(before, now)] == ["a", "c"]
    assert [trial.name for trial in changed_trials(None, now)] == ["a", "b", "c"]
    assert changed_trials(now, now) == []
