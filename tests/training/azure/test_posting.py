"""Plain requests over real TLS: whom is trusted, who is asked again, and what silence is called."""

from pathlib import Path

import pytest
import trustme

from tests.azure.blobs import free_port
from tests.azure.routes.endpoints import KEY, endpoints_of
from tests.azure.standin import Cloud
from tests.training.cli.azure.deployed import put_endpoint
from training.azure.posting import MOST_TRIES, Poster
from training.azure.scoring import parse_reply, request_body
from training.errors import AzureUnavailableError

HEADERS = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}


@pytest.fixture
def url(azure: Cloud) -> str:
    put_endpoint(azure, blue=100)
    return f"{azure.url}/endpoints/line-one/score"


def test_one_authority_may_be_named(azure: Cloud, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ca_file` is trusted whatever the machine trusts; without it an unknown certificate is told in words."""
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other.pem"))
    with Poster(url, ca_file=azure.ca) as poster:
        assert parse_reply(poster.post(request_body(b"picture"), HEADERS))["label"] == "good"
    with Poster(url) as poster, pytest.raises(AzureUnavailableError, match="its certificate is not trusted"):
        poster.post(request_body(b"picture"), HEADERS)


def test_who_stays_busy_is_not_asked_for_ever(azure: Cloud, url: str) -> None:
    """Five times at most, with the waits that were asked for; the last answer is what is told."""
    azure.wire.break_(r"POST /endpoints/", 503, headers={"Retry-After": "7"})
    waits: list[float] = []
    with Poster(url, asleep=waits.append) as poster:
        assert poster.post(b"{}", HEADERS).status == 503
    assert waits == [7.0] * (MOST_TRIES - 1)
    assert azure.wire.count("POST", "/score$") == MOST_TRIES


def test_what_is_wrong_is_asked_once(azure: Cloud, url: str) -> None:
    """Asking again changes nothing about a picture that cannot be read."""
    endpoints_of(azure).answer = lambda _: None
    with Poster(url, asleep=lambda _: pytest.fail("waited")) as poster:
        assert poster.post(request_body(b"picture"), HEADERS).text == "[]"
        assert poster.post(request_body(b"picture"), {**HEADERS, "Authorization": "Bearer x"}).status == 401
    assert azure.wire.count("POST", "/score$") == 2


def test_nobody_there_is_one_line() -> None:
    """The address and the reason, without the way that they took through the libraries."""
    address = f"http://127.0.0.1:{free_port()}/v1/predict"
    with Poster(address) as poster, pytest.raises(AzureUnavailableError) as caught:
        poster.post(b"", {})
    assert str(caught.value) == f"{address} does not answer: [Errno 111] Connection refused"


def test_a_name_that_nobody_knows_is_told() -> None:
    """A wrong host name is a reason of its own."""
    with Poster("https://no-such-host.invalid/score") as poster, pytest.raises(AzureUnavailableError) as caught:
        poster.post(b"", {})
    assert "no-such-host.invalid/score does not answer" in str(caught.value)
    assert "resolve" in str(caught.value).lower() or "name" in str(caught.value).lower()
