"""The accounts of results: what counts as delivered, lost, repeated, and what breaks a promise."""

import json

from tests.faults.ledger import Delivered, Gap, Ledger, read_results
from tests.faults.mqtt_packets import Publish


def result(seq: int, picture: str | None = None, *, id_: str | None = None, connection: int = 1) -> Delivered:
    return Delivered(id_ or f"id-{seq}", seq, "http", picture or f"{seq:03}.png", connection)


def ledger(*acknowledged: Delivered | Gap, witnessed: frozenset[str] | None = None) -> Ledger:
    ids = frozenset(one.id for one in acknowledged if isinstance(one, Delivered))
    return Ledger(acknowledged, acknowledged, ids if witnessed is None else witnessed)


def test_all_is_well() -> None:
    """Every picture once, numbers without gaps."""
    found = ledger(result(1), result(2), result(3))
    owed = {("http", "001.png"), ("http", "003.png")}
    assert list(found.problems()) == []
    assert (found.delivered(owed), found.missing(owed), found.duplicated, found.lost_by_broker()) == (2, [], 0, 0)


def test_a_repetition_under_the_same_id_is_no_problem() -> None:
    """It is counted."""
    found = ledger(result(1), result(2), result(2, connection=2), result(3, connection=2))
    assert list(found.problems()) == []
    assert found.duplicated == 1


def test_a_picture_that_never_came_is_missing() -> None:
    """Though its number may not be known."""
    assert ledger(result(1)).missing({("http", "001.png"), ("http", "009.png")}) == [("http", "009.png")]


def test_a_gap_must_be_named() -> None:
    """By a record; then it counts as dropped."""
    (problem,) = ledger(result(1), result(4)).problems()
    assert problem == "2 numbers never came and no record names them: 2, 3"
    named = ledger(result(1), Gap(2, 3), result(4))
    assert list(named.problems()) == []
    assert named.dropped == 2


def test_a_picture_under_two_ids_is_a_problem() -> None:
    """A receiver could not tell that it is a repetition."""
    (problem,) = ledger(result(1), result(2, "001.png"), result(3)).problems()
    assert problem.startswith("1 pictures got results under several ids")


def test_a_number_given_twice_is_a_problem() -> None:
    """Numbers tell a receiver what it has not got."""
    (problem,) = ledger(result(1), result(1, "002.png", id_="other", connection=2)).problems()
    assert problem == "1 numbers went to several ids: 1: 2"


def test_order_within_a_connection() -> None:
    """Going back is right after a reconnect only."""
    (problem,) = ledger(result(2), result(1)).problems()
    assert problem == "1 results were sent out of order on one connection: http: 1 after 2 (1)"


def test_order_of_pictures() -> None:
    """A later picture of the same sender has the higher number; senders do not wait for each other."""
    (problem,) = ledger(result(1, "002.png"), result(2, "001.png")).problems()
    assert problem == "1 pictures got numbers out of their order: http: 001.png after 002.png"
    two_senders = ledger(result(1, "a-002.png"), result(2, "b-001.png"), result(3, "a-003.png"))
    assert list(two_senders.problems()) == []


def test_what_the_broker_forgot() -> None:
    """Acknowledged, and never seen by the witness."""
    assert ledger(result(1), result(2), witnessed=frozenset(["id-1"])).lost_by_broker() == 1


def test_messages_are_read() -> None:
    """Results by their sender's id or the file's name, records by their numbers; other topics do not count."""
    one = {"id": "a", "seq": 1, "source": "camera", "correlation_id": "7", "name": None}
    messages = [
        ("x/camera/result", one),
        ("x/dropped", {"first_seq": 2, "last_seq": 5, "count": 4}),
        ("x/state", {"state": "online"}),
    ]
    publishes = [Publish(topic, json.dumps(found).encode(), 1, 1, False, False) for topic, found in messages]
    assert read_results([(message, 3) for message in publishes]) == (Delivered("a", 1, "camera", "7", 3), Gap(2, 5))
