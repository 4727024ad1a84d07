"""Inquiries and messages come out of the pipe as they went in."""

from datetime import UTC, datetime

import pytest

from edge.ports import Candidate, Survey
from edge.registry.inquiry import (
    Azure,
    Failure,
    Inquiry,
    Message,
    Progress,
    message_line,
    parse_inquiry,
    parse_message,
)

AZURE = Azure("sub", "group", "vision", client_secret="hidden")


def test_an_inquiry_arrives_as_it_was_sent() -> None:
    """Its secret too, which no text of it shows."""
    inquiry = Inquiry("fetch", AZURE, "colours", "/cache", version="3", digest="ab", into="/into")
    assert parse_inquiry(inquiry.line()) == inquiry
    assert "hidden" not in repr(inquiry)


@pytest.mark.parametrize(
    "message",
    [
        "fetched",
        Progress(3, 9),
        Failure("RegistryError", "throttled", "too often", 7.0),
        Survey((Candidate("colours", "3", datetime(2026, 1, 1, tzinfo=UTC), "ab"),), {"colours/2": "half a file"}),
    ],
)
def test_a_message_arrives_as_it_was_sent(message: Message) -> None:
    """One line each."""
    line = message_line(message)
    assert line.count(b"\n") == 1
    assert parse_message(line) == message


@pytest.mark.parametrize("line", [b"", b"{}", b"[]", b"nothing", b'{"survey": {}}', b'{"failure": {"no": 1}}'])
def test_what_is_no_message_is_told(line: bytes) -> None:
    """A process that crashed may have written anything."""
    with pytest.raises(ValueError, match=r"."):
        parse_message(line)
