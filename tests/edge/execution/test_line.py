"""Who goes first: by priority, then by arrival; on both shapes."""

import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, wait

import pytest

from edge.errors import DeadlineError, OverloadedError, StoppingError
from edge.execution.job import Job
from edge.execution.line import Line
from edge.ports import Executor, Priority
from edge.results import Outcome
from tests.edge.execution.echo import SHAPES, EchoSession, echo_model, label, lanes, serving

TRIGGER, REQUEST, STREAM = Priority


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def job(name: str, priority: Priority = REQUEST, *, deadline_at: float | None = None) -> Job:
    return Job(name.encode(), priority, 0.0, deadline_at)


def taken(line: Line) -> list[bytes]:
    """Return the pictures of all that wait, in the order in which workers get them; closes the line."""
    line.close()
    jobs = iter(line.take, None)
    return [bytes(each.image) for each in jobs if each is not None]


def test_the_lowest_number_goes_first_and_then_who_came_first() -> None:
    """A trigger overtakes requests, a request overtakes streams, nobody overtakes their like."""
    line = Line(clock=lambda: 0.0)
    for name, priority in [("s1", STREAM), ("r1", REQUEST), ("s2", STREAM), ("t1", TRIGGER), ("r2", REQUEST)]:
        line.put(job(name, priority))
    assert taken(line) == [b"t1", b"r1", b"r2", b"s1", b"s2"]


def test_a_closed_line_takes_no_more_and_serves_those_that_wait() -> None:
    """Every worker hears of the end."""
    line = Line(clock=lambda: 0.0)
    line.put(job("1"))
    assert taken(line) == [b"1"]
    assert [line.take() for _ in range(3)] == [None] * 3
    with pytest.raises(StoppingError):
        line.put(job("2"))


def test_who_left_is_not_served() -> None:
    """A cancelled job that was removed has no turn; those who wait for it hear of it; removing it twice is harmless."""
    line, gone = Line(clock=lambda: 0.0), job("gone")
    line.put(gone)
    line.put(job("2"))
    assert gone.future.cancel()
    line.remove(gone)
    line.remove(gone)
    assert wait([gone.future], timeout=10).done
    assert taken(line) == [b"2"]


def test_an_overdue_job_is_answered_though_others_keep_overtaking_it() -> None:
    """Its deadline ends its wait as soon as any worker comes along, not when its turn comes."""
    line = Line(clock=lambda: 5.0)
    late, later = job("late", deadline_at=4.0), job("later", deadline_at=6.0)
    for each in (late, later, job("t1", TRIGGER)):
        line.put(each)
    first = line.take()
    assert first is not None
    assert first.image == b"t1"
    with pytest.raises(DeadlineError, match="waited 5000 ms"):
        late.future.result(0)
    assert not later.future.done()
    assert taken(line) == [b"later"]


@pytest.mark.parametrize("kind", SHAPES)
def test_triggers_before_requests_before_streams(kind: str, gate: threading.Event) -> None:
    """With every worker busy, what waits is answered by priority, in order within each."""
    session, order = EchoSession(gate=gate), list[str]()
    with serving(SHAPES[kind](workers=1), echo_model(session=session)) as executor:
        running = executor.submit(b"0", priority=STREAM)
        assert session.entered.acquire(timeout=10)
        # a pipeline has some pictures prepared ahead, which keep their place
        ahead = [executor.submit(b"0", priority=STREAM) for _ in range(9)] if kind == "pipeline" else []
        asked = [(p, executor.submit(str(100 * p + i).encode(), priority=p)) for i in range(5) for p in (2, 1, 0)]  # type: ignore[arg-type]  # numbers are as good
        for _, future in asked:
            future.add_done_callback(lambda done: order.append(label(done.result())))
        gate.set()
        for future in (running, *ahead, *(f for _, f in asked)):
            future.result(10)
    if kind != "pipeline":
        assert order == [str(100 * p + i) for p in (0, 1, 2) for i in range(5)]
    last = {p: max(order.index(str(100 * p + i)) for i in range(5)) for p in (0, 1, 2)}
    assert last[0] < last[1] < last[2]


@pytest.mark.parametrize("kind", SHAPES)
def test_a_flood_of_streams_refuses_no_request_and_a_flood_of_requests_no_trigger(
    kind: str, gate: threading.Event
) -> None:
    """Streams fill half of the queue, requests nine tenths, triggers all of it."""
    with serving(SHAPES[kind](queue_size=20), echo_model(session=EchoSession(gate=gate))) as executor:
        futures: list[Future[Outcome]] = []
        for priority, room in [(STREAM, 10), (REQUEST, 8), (TRIGGER, 2)]:
            futures += [executor.submit(b"1", priority=priority) for _ in range(room)]
            with pytest.raises(OverloadedError, match=f"full for a {priority.name.lower()}") as refused:
                executor.submit(b"1", priority=priority)
            assert 0 < refused.value.retry_after_s <= 60
        gate.set()
        assert {label(f.result(10)) for f in futures} == {"1"}


def test_a_starved_request_is_told_in_time() -> None:
    """While triggers keep the only lane busy, a request is refused at its deadline; a stream waits on, unharmed."""
    with serving(lanes(workers=1)) as executor:
        stop = threading.Event()
        inside = threading.Semaphore(0)

        def again(_: Future[Outcome]) -> None:
            if not stop.is_set():
                inside.release()
                executor.submit(b"1", priority=TRIGGER).add_done_callback(again)

        for _ in range(3):  # some always wait
            executor.submit(b"1", priority=TRIGGER).add_done_callback(again)
        assert inside.acquire(timeout=10)
        stream = executor.submit(b"7", priority=STREAM)
        request = executor.submit(b"8", deadline_s=0.02)
        with pytest.raises(DeadlineError):
            request.result(10)
        assert not stream.done()
        stop.set()
        assert label(stream.result(10)) == "7"


class Asker:
    """Asks for 200 pictures as chance wills, and cancels some; tells when half of them are asked for."""

    def __init__(self, executor: Executor, number: int, *, seed: int) -> None:
        self.asked: list[tuple[str, Future[Outcome]]] = []
        self.half = threading.Event()
        self._executor, self._number, self._chance = executor, number, random.Random(100 * seed + number)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        for turn in range(200):
            if turn == 100:
                self.half.set()
            try:
                self._ask(str(1000 * self._number + turn))
            except OverloadedError:
                wait([future for _, future in self.asked[-1:]], timeout=10)
            except StoppingError:
                return

    def _ask(self, name: str) -> None:
        priority, deadline_s = self._chance.choice(list(Priority)), self._chance.choice([None, 0.0005, 5.0])
        future = self._executor.submit(name.encode(), priority=priority, deadline_s=deadline_s)
        self.asked.append((name, future))
        if self._chance.random() < 0.2:
            future.cancel()


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_many_threads_priorities_cancels_and_a_close(kind: str, seed: int) -> None:
    """Whatever the mixture, every accepted picture ends, with its own answer, by cancel, or because of the close."""
    executor = SHAPES[kind](queue_size=64, workers=3)
    executor.swap(echo_model())
    askers = [Asker(executor, number, seed=seed) for number in range(6)]
    for asker in askers:
        assert asker.half.wait(10)
    executor.close(timeout_s=10)
    for asker in askers:
        asker.thread.join(10)
    ends = Counter(_end(name, future) for asker in askers for name, future in asker.asked)
    assert ends["answered"] > 0
    assert executor.queued == 0


def _end(name: str, future: Future[Outcome]) -> str:
    try:
        assert label(future.result(10)) == name
    except (CancelledError, DeadlineError, StoppingError) as error:
        return type(error).__name__
    return "answered"
