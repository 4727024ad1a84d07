"""Deliveries: what counts as the same message again."""

from concurrent.futures import Future

from edge.errors import StoppingError
from edge.ports import Incoming
from edge.results import Result
from edge.sources.deliveries import Deliveries


def message(packet_id: int = 1, *, redelivered: bool = True) -> Incoming:
    return Incoming("belt/image", b"x", lambda: None, packet_id=packet_id, redelivered=redelivered)


def answer(error: Exception | None = None) -> Future[Result]:
    future: Future[Result] = Future()
    if error is not None:
        future.set_exception(error)
    return future


def test_an_answer_under_way_is_shared() -> None:
    """A repetition waits for the answer of the first delivery."""
    deliveries, first = Deliveries(), answer()
    deliveries.note(message(redelivered=False), first)
    assert deliveries.earlier(message()) is first


def test_a_delivery_that_failed_is_tried_again() -> None:
    """Where the first delivery led to no result, the repetition is a new chance."""
    deliveries = Deliveries()
    deliveries.note(message(redelivered=False), answer(StoppingError("stopping")))
    assert deliveries.earlier(message()) is None


def test_only_the_last_ones_are_remembered() -> None:
    """Memory is bounded; messages without a packet id are not remembered at all."""
    deliveries = Deliveries(remembered=2)
    for packet_id in (0, 1, 2, 3):
        deliveries.note(message(packet_id, redelivered=False), answer())
    assert [deliveries.earlier(message(packet_id)) is not None for packet_id in (0, 1, 2, 3)] == [
        False,
        False,
        True,
        True,
    ]
