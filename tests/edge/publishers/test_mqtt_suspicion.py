"""Suspicion: which message it is that a broker ends every connection for, and which it is not."""

from edge.publishers.mqtt_suspicion import CAREFUL_FROM, CONVICTED_AT, SOON_S, Suspicion


def test_the_message_that_ends_every_connection_is_convicted() -> None:
    """After a few connections it is sent alone; after some more it is left out."""
    suspicion = Suspicion()
    found = [(suspicion.ended(7, sent_s=0.1), suspicion.careful) for _ in range(CONVICTED_AT)]
    assert found[CAREFUL_FROM - 2 : CAREFUL_FROM] == [(None, False), (None, True)]
    assert found[-1] == (7, False)
    assert 7 in suspicion


def test_a_message_that_is_acknowledged_in_the_end_was_not_it() -> None:
    """Connections that end for other reasons convict nobody, however many they are."""
    suspicion = Suspicion()
    for _ in range(3):
        for _ in range(CONVICTED_AT - 1):
            assert suspicion.ended(7, sent_s=0.1) is None
        suspicion.moved(7)
        assert not suspicion.careful


def test_only_an_end_soon_after_the_sending_counts() -> None:
    """A broker that hangs, or a network that is cut, says nothing about a message; nor does an end before anything."""
    suspicion = Suspicion()
    for _ in range(2 * CONVICTED_AT):
        assert suspicion.ended(7, sent_s=SOON_S + 0.1) is None
        assert suspicion.ended(None, sent_s=0.1) is None
    assert not suspicion.careful


def test_another_oldest_message_begins_anew() -> None:
    """Counts of different messages are not added up."""
    suspicion = Suspicion()
    for id_ in range(3 * CONVICTED_AT):
        assert suspicion.ended(id_, sent_s=0.1) is None
