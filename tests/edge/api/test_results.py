"""GET /v1/results and its live stream over a real socket."""

import json
import socket
from collections.abc import Iterator

import httpx

from edge.api.feed import Feed
from tests.edge.api.conftest import Ask, Serve
from tests.edge.api.fakes import result


def events(answer: httpx.Response) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield (event, data), comments and retry left out."""
    kind = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


def test_the_last_results_are_those_of_mqtt(ask: Ask, feed: Feed) -> None:
    """The same payload, newest first."""
    for number in range(1, 4):
        feed.observe(result(f"part {number}", number=number))
    got = ask("GET", "/v1/results?limit=2").json()["results"]
    assert [one["seq"] for one in got] == [3, 2]
    assert got[0]["schema"] == "automl-edge/result/1"
    assert got[0]["captured_at"] == "2026-01-31T08:00:00.000Z"


def test_results_come_live(serve: Serve, feed: Feed) -> None:
    """Each as an event with its id, as it is delivered."""
    with serve().stream("GET", "/v1/results/stream") as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        stream = events(answer)
        for number in range(1, 4):
            feed.observe(result("x", number=number))
            kind, data = next(stream)
            assert (kind, data["seq"]) == ("result", number)


def test_a_client_that_comes_back_goes_on_where_it_was(serve: Serve, feed: Feed) -> None:
    """Browsers send Last-Event-ID by themselves."""
    for number in range(1, 4):
        feed.observe(result("x", number=number))
    with serve().stream("GET", "/v1/results/stream", headers={"last-event-id": result("x", number=1).id}) as answer:
        stream = events(answer)
        assert [next(stream)[1]["seq"] for _ in range(2)] == [2, 3]


def test_a_slow_client_is_told_how_many_it_lost(serve: Serve) -> None:
    """One that does not read holds a bounded queue; once it reads again it gets ``dropped`` and the newest."""
    feed = Feed(keep=1, queue=4)
    client = serve(feed=feed)
    big = result("y" * 100_000)
    last = 400
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=20) as connection:
        connection.sendall(b"GET /v1/results/stream HTTP/1.1\r\nHost: x\r\n\r\n")
        received = connection.recv(65536)
        for _ in range(last):
            feed.observe(big)
        feed.observe(result("the end", number=last))
        while b"the end" not in received[-2000:]:
            received += connection.recv(1 << 20)
        feed.close()
    assert b'event: dropped\ndata: {"count":' in received
    assert received.count(b"event: result") < last


def test_streams_end_when_the_server_stops(serve: Serve, feed: Feed) -> None:
    """At once, with a proper end and not a broken connection."""
    with serve().stream("GET", "/v1/results/stream") as answer:
        feed.close()
        assert list(events(answer)) == []


def test_a_client_that_leaves_makes_room_for_another(serve: Serve) -> None:
    """Two may watch here; the third is refused until one leaves."""
    client = serve()
    with client.stream("GET", "/v1/results/stream"):
        with client.stream("GET", "/v1/results/stream"):
            refused = client.get("/v1/results/stream")
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "10"
        for _ in range(1000):
            with client.stream("GET", "/v1/results/stream") as third:
                if third.status_code == 200:
                    return
    raise AssertionError("no room was made")
