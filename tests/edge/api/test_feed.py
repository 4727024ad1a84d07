"""The feed: what is kept, who watches, and that a slow watcher costs only itself."""

import asyncio
import threading
from collections import deque

import pytest

from edge.api.feed import Batch, Feed
from edge.errors import OverloadedError, StoppingError
from tests.edge.api.fakes import result


def numbers(batch: Batch | None) -> list[int]:
    assert batch is not None
    return [one.seq for one in batch.results]


def test_the_last_results_are_kept_newest_first() -> None:
    """At most ``keep``, at most as many as asked for."""
    feed = Feed(keep=3)
    for number in range(5):
        feed.observe(result("x", number=number))
    assert [one.seq for one in feed.latest(2)] == [4, 3]
    assert [one.seq for one in feed.latest(10)] == [4, 3, 2]


def test_a_watcher_gets_results_from_any_thread() -> None:
    """In the order in which they came."""

    async def go() -> list[int]:
        feed = Feed()
        watcher = feed.watch()
        some = [result("x", number=number) for number in range(3)]
        thread = threading.Thread(target=lambda: deque(map(feed.observe, some), maxlen=0))
        thread.start()
        got: list[int] = []
        while len(got) < 3:
            got += numbers(await watcher.next(timeout_s=5))
        thread.join()
        return got

    assert asyncio.run(go()) == [0, 1, 2]


def test_a_slow_watcher_loses_the_oldest_and_is_told_how_many() -> None:
    """Its queue never grows; the next batch counts anew."""

    async def go() -> None:
        feed = Feed(queue=2)
        watcher = feed.watch()
        for number in range(5):
            feed.observe(result("x", number=number))
        batch = await watcher.next(timeout_s=5)
        assert batch is not None
        assert (batch.dropped, numbers(batch)) == (3, [3, 4])
        feed.observe(result("x", number=5))
        batch = await watcher.next(timeout_s=5)
        assert batch is not None
        assert (batch.dropped, numbers(batch)) == (0, [5])

    asyncio.run(go())


def test_a_quiet_feed_gives_an_empty_batch() -> None:
    """So that the stream can send a sign of life."""

    async def go() -> Batch | None:
        return await Feed().watch().next(timeout_s=0.01)

    assert asyncio.run(go()) == Batch(0, ())


def test_a_watcher_that_comes_back_gets_what_it_missed() -> None:
    """All kept results that came behind the one it saw last."""

    async def go() -> list[int]:
        feed = Feed()
        for number in range(4):
            feed.observe(result("x", number=number))
        return numbers(await feed.watch(after=result("x", number=1).id).next(timeout_s=5))

    assert asyncio.run(go()) == [2, 3]


def test_what_was_missed_is_told_by_its_place_not_by_its_id() -> None:
    """Ids follow the time of the picture: an older file may be answered later."""

    async def go() -> list[int]:
        feed = Feed()
        for number in (5, 3, 4):
            feed.observe(result("x", number=number))
        return numbers(await feed.watch(after=result("x", number=5).id).next(timeout_s=5))

    assert asyncio.run(go()) == [3, 4]


def test_a_watcher_whose_last_result_is_no_longer_kept_gets_all_that_is() -> None:
    """It missed that much at least."""

    async def go() -> list[int]:
        feed = Feed(keep=2)
        for number in (7, 3, 4):
            feed.observe(result("x", number=number))
        return numbers(await feed.watch(after=result("x", number=7).id).next(timeout_s=5))

    assert asyncio.run(go()) == [3, 4]


def test_watchers_are_counted() -> None:
    """One too many is told to come back; one that leaves makes room."""

    async def go() -> None:
        feed = Feed(max_watchers=1)
        first = feed.watch()
        with pytest.raises(OverloadedError):
            feed.watch()
        feed.leave(first)
        feed.watch()

    asyncio.run(go())


def test_closing_ends_every_watch() -> None:
    """At once, with results still waiting; no new watch begins; the last results stay readable."""

    async def go() -> None:
        feed = Feed()
        watcher = feed.watch()
        feed.observe(result("x"))
        feed.close()
        assert await watcher.next(timeout_s=5) is None
        with pytest.raises(StoppingError):
            feed.watch()
        assert len(feed.latest(1)) == 1

    asyncio.run(go())


def test_a_watcher_whose_loop_is_gone_does_not_hurt_the_sender() -> None:
    """The sender is a worker thread, which must go on."""
    feed = Feed()

    async def go() -> None:
        feed.watch()

    asyncio.run(go())
    feed.observe(result("x"))
    assert len(feed.latest(1)) == 1
