"""Which requests a browser may send here: for this device's names, by this device's pages."""

import pytest

from edge.api.sites import Sites, foreign

SITES = Sites(("localhost", "Press-7"))
OWN = [
    b"localhost", b"localhost:8080", b"LOCALHOST:8080", b"localhost.", b"localhost.:80", b"127.0.0.1:8080",
    b"127.0.0.1", b"[::1]:8080", b"[::1]", b"10.1.2.3:80", b"press-7", b"PRESS-7:8080", b"page.localhost:8080",
    b"localhost:",
]  # fmt: skip
OTHER = [
    b"evil.example", b"evil.example:8080", b"localhost.evil.example", b"127.0.0.1.evil.example",
    b"press-7.evil.example", b"notlocalhost", b"", b":8080", b"[", b"[::1", b"[::1]evil", b"127.0.0.1@evil.example",
    b"::1.evil.example:80", b"\xe4", b"localhost evil.example", b"localhost,evil.example", b"localhost\n", b"0x7f.1",
    b"[localhost]",
]  # fmt: skip


@pytest.mark.parametrize("host", OWN)
def test_own_names_and_addresses_are_answered(host: bytes) -> None:
    """Nobody can have an address, or a name of this machine, point elsewhere."""
    assert SITES.misdirected(host) is None


@pytest.mark.parametrize("host", OTHER)
def test_other_names_are_not(host: bytes) -> None:
    """However they are written; the refusal tells the remedy."""
    assert "ask localhost or the address, or set http.token" in (SITES.misdirected(host) or "")


def test_a_program_may_name_no_host() -> None:
    """HTTP/1.0; a browser always names one."""
    assert SITES.misdirected(None) is None


def test_without_names_every_host_is_answered() -> None:
    """With a token, which a page of another site does not have."""
    assert Sites().misdirected(b"evil.example") is None


def test_answers_are_remembered_in_bounded_memory() -> None:
    """The answer to the last ones is at hand, whatever is sent."""
    sites = Sites(("localhost",))
    assert [sites.misdirected(b"localhost:%d" % port) for port in range(10_000)] == [None] * 10_000


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "BREW"])
@pytest.mark.parametrize(
    "origin",
    [b"http://evil.example", b"null", b"", b"http://edge.evil.example", b"http://edge@evil.example", b"http://["],
)
def test_a_page_of_another_site_changes_nothing(method: str, origin: bytes) -> None:
    """Whatever the method, if it can change something."""
    assert foreign(method, origin, b"edge:8080") is not None


@pytest.mark.parametrize(
    ("origin", "host"), [(b"http://edge:8080", b"edge:8080"), (b"https://edge", b"edge"), (None, b"x")]
)
def test_a_page_of_this_device_may(origin: bytes | None, host: bytes) -> None:
    """So may programs, which send no Origin."""
    assert foreign("POST", origin, host) is None


def test_looking_is_left_to_the_browser() -> None:
    """It keeps the answer from the page: nothing here allows it (CORS)."""
    assert foreign("GET", b"http://evil.example", b"edge") is None
