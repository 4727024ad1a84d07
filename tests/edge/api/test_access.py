"""The token, cross-site requests, and what is counted of each request."""

import pytest

from edge.errors import ConfigError
from tests.edge.api.conftest import Ask
from tests.edge.api.fakes import failing

GUARDED = [
    ("POST", "/v1/predict"),
    ("POST", "/score"),
    ("GET", "/score"),
    ("GET", "/v1/status"),
    ("GET", "/v1/models"),
    ("POST", "/v1/models/metal/activate"),
    ("POST", "/v1/models/metal/rollback"),
    ("GET", "/v1/results"),
    ("GET", "/v1/results/stream"),
    ("GET", "/metrics"),
    ("GET", "/nothing"),
]
OPEN = ["/", "/livez", "/readyz", "/docs", "/openapi.json", "/docs-assets/swagger-ui.css"]


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_a_guarded_route_wants_the_token(ask: Ask, method: str, path: str) -> None:
    """Without it 401, and how to ask."""
    answer = ask(method, path, parts={"token": "secret"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer", "Bearer ", "Basic c2VjcmV0", "secret", "Bearer sécret"])
def test_another_token_does_not_open(ask: Ask, header: str) -> None:
    """Nor the right one under another scheme; the answer does not repeat what was sent."""
    answer = ask("GET", "/v1/status", headers={"authorization": header.encode()}, parts={"token": "secret"})
    assert answer.status_code == 401
    assert "secret" not in answer.text


@pytest.mark.parametrize("header", ["Bearer secret", "bearer secret"])
def test_the_token_opens(ask: Ask, header: str) -> None:
    """The scheme's name may be written in any case (RFC 9110, 11.1)."""
    assert ask("GET", "/v1/status", headers={"authorization": header}, parts={"token": "secret"}).status_code == 200


@pytest.mark.parametrize("path", OPEN)
def test_probes_and_pages_need_no_token(ask: Ask, path: str) -> None:
    """An orchestrator and a browser get there; none of them holds data of the device."""
    assert ask("GET", path, parts={"token": "secret"}).status_code == 200


def test_an_empty_token_is_refused(ask: Ask) -> None:
    """It would look like protection and be none."""
    with pytest.raises(ConfigError, match="token is empty"):
        ask("GET", "/livez", parts={"token": ""})


@pytest.mark.parametrize(
    ("origin", "status"), [("http://evil.example", 403), ("null", 403), ("http://edge", 200), (None, 200)]
)
def test_a_page_of_another_site_may_not_change_the_model(ask: Ask, origin: str | None, status: int) -> None:
    """A browser on the plant's network sends such requests without being asked; programs send no Origin."""
    headers = {} if origin is None else {"origin": origin}
    assert ask("POST", "/v1/models/metal/rollback", headers=headers).status_code == status


def test_requests_are_counted_by_route_not_by_path(ask: Ask) -> None:
    """So that a scan of paths cannot grow the metrics; the token's refusals are counted too."""
    seen: list[tuple[str, str, int]] = []

    def observe(method: str, route: str, status: int, seconds: float) -> None:
        assert seconds >= 0
        seen.append((method, route, status))

    for method, path in [
        ("POST", "/v1/models/metal/activate"),
        ("GET", "/nothing/at/all"),
        ("BREW", "/score"),
        ("GET", "/livez"),
    ]:
        ask(method, path, parts={"observe": observe})
    ask("GET", "/v1/status", parts={"observe": observe, "token": "secret"})
    assert seen == [
        ("POST", "/v1/models/{name}/activate", 200),
        ("GET", "unmatched", 404),
        ("other", "/score", 405),
        ("GET", "/livez", 200),
        ("GET", "unmatched", 401),
    ]


def test_an_unexpected_error_is_counted(ask: Ask) -> None:
    """A fault of ours shows in the metrics as 500."""
    seen: list[tuple[str, int]] = []
    parts = {
        "submit": failing(ValueError("a bug")),
        "observe": lambda _, route, status, __: seen.append((route, status)),
    }
    ask("POST", "/v1/predict", content=b"x", parts=parts)
    assert seen == [("/v1/predict", 500)]
