"""Closing many parts within one span of time, whatever hangs."""

import threading
import time
from collections.abc import Iterator

import pytest

from edge.daemon.losses import Losses
from edge.daemon.stopping import LastResort, Stopping, part_name, share_s


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """Give what hanging parts wait for; set at the end, so that no thread outlives its test."""
    released = threading.Event()
    yield released
    released.set()


class Part:
    """Remembers how long it was given to close; hangs until ``release`` where it is told to."""

    def __init__(self, name: str, closed: list[str], *, hangs: threading.Event | None = None) -> None:
        self.name = name
        self.given_s = 0.0
        self._closed = closed
        self._hangs = hangs

    def close(self, *, timeout_s: float = 10.0) -> None:
        self.given_s = timeout_s
        self._closed.append(self.name)
        if self._hangs is not None:
            self._hangs.wait()


def test_parts_close_in_reverse_order() -> None:
    """What was started last is closed first, a part without a time to keep too."""
    closed: list[str] = []
    with Stopping(timeout_s=5.0) as stopping:
        stopping.callback(Part("store", closed).close)
        stopping.callback(closed.append, "plain")
        stopping.callback(Part("http", closed).close)
    assert closed == ["http", "plain", "store"]


def test_a_part_that_hangs_is_left_behind_and_the_others_get_their_time(release: threading.Event) -> None:
    """One that ignores its time costs that time; those after it close, and it is named."""
    closed: list[str] = []
    broker, belt = Part("broker", closed), Part("belt", closed, hangs=release)
    began = time.monotonic()
    with Stopping(timeout_s=0.4) as stopping:
        stopping.callback(broker.close)
        stopping.callback(belt.close)
    assert time.monotonic() - began < 2.0
    assert closed == ["belt", "broker"]
    assert [left.part for left in stopping.left_behind] == ["Part belt"]
    assert 0 < broker.given_s < belt.given_s <= 0.4


def test_time_runs_from_the_beginning_of_the_stop() -> None:
    """Before it there is as much as is configured; what passes since is taken from the parts."""
    now = [100.0]
    stopping = Stopping(timeout_s=20.0, clock=lambda: now[0])
    assert stopping.left_s == 20.0
    stopping.begin()
    now[0] += 15.0
    stopping.begin()
    assert stopping.left_s == 5.0
    now[0] += 15.0
    assert stopping.left_s == 0.0


def test_a_fault_in_one_part_does_not_keep_the_others_open() -> None:
    """It is logged and remembered; nothing is raised over it."""
    closed: list[str] = []

    def fail() -> None:
        raise OSError("disk gone")

    with Stopping(timeout_s=5.0) as stopping:
        stopping.callback(Part("store", closed).close)
        stopping.callback(fail)
    assert closed == ["store"]
    assert len(stopping.failed) == 1


@pytest.mark.parametrize("later", [0, 1, 5, 50])
def test_every_part_gets_some_time(later: int) -> None:
    """However many follow, each may take something, and all together no more than there is."""
    left_s, given = 20.0, []
    for remaining in range(later, -1, -1):
        given.append(share_s(left_s=left_s, whole_s=20.0, later=remaining))
        left_s -= given[-1]
    assert min(given) > 0
    assert sum(given) == pytest.approx(20.0)
    assert share_s(left_s=0.0, whole_s=20.0, later=later) == 0.0


def test_the_first_part_gets_most_of_the_time() -> None:
    """A twentieth of the whole is kept for each part after it."""
    assert share_s(left_s=20.0, whole_s=20.0, later=6) == pytest.approx(14.0)


def test_parts_are_named_for_a_person() -> None:
    """By the class and the name of what is closed."""
    assert part_name(Part("belt", []).close) == "Part belt"
    assert part_name(threading.Event().set) == "Event"


class Ended:
    """Stands in for the end of the process."""

    def __init__(self) -> None:
        self.code: int | None = None
        self.happened = threading.Event()

    def __call__(self, code: int) -> None:
        self.code = code
        self.happened.set()


def test_the_last_resort_ends_a_stop_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    """When the time is up, the log names what hung and the process ends with the code that tells of losses."""
    asked, ended = threading.Event(), Ended()
    with LastResort(asked, timeout_s=0.05, doing=lambda: "HttpServer", exit_code=lambda: 1, end=ended):
        assert not ended.happened.wait(0.2)  # nobody has asked for a stop yet
        asked.set()
        assert ended.happened.wait(10)
    assert ended.code == 1
    assert [vars(record)["part"] for record in caplog.records] == ["HttpServer"]


def test_a_log_that_hangs_does_not_hold_up_the_last_resort(release: threading.Event) -> None:
    """Even where its last words cannot be said."""
    asked, ended = threading.Event(), Ended()
    asked.set()
    with LastResort(asked, timeout_s=0.05, doing=lambda: str(release.wait()), exit_code=lambda: 0, end=ended):
        assert ended.happened.wait(10)
    assert ended.code == 0


def test_a_stop_in_time_needs_no_last_resort() -> None:
    """Left in time, it lets the process go on."""
    asked, ended = threading.Event(), Ended()
    with LastResort(asked, timeout_s=60.0, doing=str, exit_code=lambda: 1, end=ended):
        asked.set()
    assert ended.code is None


class Counts:
    """Frames and results, as a stop finds them."""

    def __init__(self, *, under_way: int = 0, given_up: int = 0, unstored: int = 0) -> None:
        self.under_way, self.given_up, self.unstored = under_way, given_up, unstored


@pytest.mark.parametrize(
    ("counts", "lost"),
    [(Counts(), 0), (Counts(unstored=5), 5), (Counts(given_up=2, under_way=1, unstored=5), 8)],
    ids=["all answered and stored", "only in memory", "given up or hanging too"],
)
def test_what_a_stop_loses(counts: Counts, lost: int) -> None:
    """Accepted and neither answered nor stored is lost; what waits on the disk is not."""
    losses = Losses()
    assert (losses.lost, losses.exit_code) == (0, 0)
    losses.count(counts, counts)
    assert (losses.lost, losses.exit_code) == (lost, 1 if lost else 0)


def test_a_failure_without_a_loss_counts_too() -> None:
    """A server that ended by itself is no clean stop."""
    losses = Losses()
    losses.failed = True
    assert losses.exit_code == 1
