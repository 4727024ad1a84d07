"""Tokens and their scopes, limits of rate, requests that a browser is made to send, and what is counted."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.api.access import Access
from edge.tokens import SCOPES, Grant, KnownTokens, Scope, TokensFile
from tests.edge.api.conftest import Ask, Serve
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


@pytest.mark.parametrize(
    ("origin", "status"), [("http://evil.example", 403), ("null", 403), ("http://edge", 200), (None, 200)]
)
def test_a_page_of_another_site_may_not_change_the_model(ask: Ask, origin: str | None, status: int) -> None:
    """A browser on the plant's network sends such requests without being asked; programs send no Origin."""
    headers = {} if origin is None else {"origin": origin}
    assert ask("POST", "/v1/models/metal/rollback", headers=headers).status_code == status


@pytest.mark.parametrize("path", ["/v1/predict", "/score"])
def test_a_page_of_another_site_may_not_hand_in_pictures(ask: Ask, path: str) -> None:
    """Its results would go out with those of the line; looking is the browser's own affair (no CORS header)."""
    foreign = {"origin": "http://evil.example", "content-type": "text/plain"}
    assert ask("POST", path, headers=foreign, content=b"x").status_code == 403
    assert ask("GET", path, headers=foreign).status_code != 403
    assert "access-control-allow-origin" not in ask("GET", "/v1/status", headers=foreign).headers


def test_without_a_token_only_the_devices_own_names_are_answered(serve: Serve) -> None:
    """On no route, the page among them: a browser takes a page whose name points here for one of ours."""
    client = serve(access=Access(names=("localhost", "press-7")))
    rebound = {"host": "evil.example:8080", "origin": "http://evil.example:8080"}
    for method, path in [*GUARDED, ("GET", "/")]:
        answer = client.request(method, path, headers=rebound)
        assert answer.status_code == 421
        assert "set http.token" in answer.json()["detail"]
    assert client.get("/v1/status").status_code == 200
    assert client.get("/v1/status", headers={"host": "press-7:8080"}).status_code == 200


def tokens_of(folder: Path, *grants: Grant) -> tuple[Access, Sequence[str]]:
    """Return who may ask, and their tokens."""
    file = TokensFile(folder / "tokens.json")
    made = [file.add(grant) for grant in grants]
    return Access(KnownTokens(None, file.path)), made


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


WANTED: dict[Scope, list[tuple[str, str]]] = {
    "predict": [("POST", "/v1/predict"), ("POST", "/score"), ("GET", "/score")],
    "read": [
        ("GET", "/v1/status"), ("GET", "/v1/models"), ("GET", "/v1/results"), ("GET", "/metrics"), ("GET", "/nothing"),
        ("HEAD", "/v1/status"),
    ],
    "operate": [
        ("POST", "/v1/models/metal/activate"), ("POST", "/v1/models/metal/rollback"), ("POST", "/nothing"),
        ("DELETE", "/v1/models"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("scope", SCOPES)
def test_each_route_wants_its_scope(serve: Serve, tmp_path: Path, scope: Scope) -> None:
    """With it the request goes on; with all others 403 names the missing one. What nobody thought of is guarded too."""
    right = Grant("right", frozenset({scope}))
    access, (allowed, others) = tokens_of(tmp_path, right, Grant("others", frozenset(SCOPES) - {scope}))
    client = serve(access=access)
    for method, path in WANTED[scope]:
        assert client.request(method, path, headers=bearer(allowed)).status_code not in {401, 403}
        refused = client.request(method, path, headers=bearer(others))
        assert refused.status_code == 403
        assert refused.headers["www-authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'
        assert method == "HEAD" or f"wants the scope '{scope}'" in refused.json()["detail"]


def test_a_live_stream_ends_with_its_token(serve: Serve, tmp_path: Path) -> None:
    """Revoked, it is over within two seconds, though the connection stands."""
    file = TokensFile(tmp_path / "tokens.json")
    token = file.add(Grant("board", frozenset({"read"})))
    client = serve(access=Access(KnownTokens(None, file.path, every_s=0.0)))
    with client.stream("GET", "/v1/results/stream", headers=bearer(token), timeout=5) as stream:
        file.revoke("board")
        assert b"".join(stream.iter_bytes()) == b"retry: 2000\n\n"


def test_an_expired_token_is_told_so(ask: Ask, tmp_path: Path) -> None:
    """Only who holds it learns that; it opens nothing."""
    over = datetime.now(UTC) - timedelta(seconds=1)
    access, (token,) = tokens_of(tmp_path, Grant("old", frozenset(SCOPES), over))
    answer = ask("GET", "/v1/status", headers=bearer(token), parts={"access": access})
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert "'old' expired at" in answer.json()["detail"]


def statuses(serve: Serve, access: Access, *headers: dict[str, str], path: str = "/v1/status") -> list[int]:
    """Ask one server once for each of ``headers``."""
    client = serve(access=access)
    return [client.get(path, headers=each).status_code for each in headers]


def test_who_comes_too_often_is_told_when_to_come_again(serve: Serve) -> None:
    """429 with Retry-After."""
    client = serve(access=Access(rate=0.01))
    assert client.get("/v1/status").status_code == 200
    answer = client.get("/v1/status")
    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] in {"99", "100"}


def test_each_token_has_a_limit_of_its_own(serve: Serve, tmp_path: Path) -> None:
    """Though both come from one address; a refusal for want of scope does not count."""
    access, (a, b) = tokens_of(tmp_path, Grant("a", frozenset({"read"})), Grant("b", frozenset({"read"})))
    limited = Access(access.tokens, rate=0.01)
    assert statuses(serve, limited, bearer(a), bearer(a), bearer(b)) == [200, 429, 200]


@pytest.mark.parametrize("path", OPEN)
def test_probes_and_pages_are_not_limited(serve: Serve, path: str) -> None:
    """An orchestrator must always learn how things are."""
    assert statuses(serve, Access(rate=0.001), *[{}] * 10, path=path) == [200] * 10


def test_guessing_is_slowed_down(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Beyond the limit wrong tokens get 429; then not even the right one is tried. The log names the address once."""
    access = Access(KnownTokens("secret"), wrong_rate=0.01)
    tried = [bearer("secret"), bearer("guess"), bearer("another"), bearer("secret")]
    assert statuses(serve, access, *tried) == [200, 401, 429, 429]
    told = [record for record in caplog.records if record.name == "edge.api.access"]
    assert [vars(record)["address"] for record in told] == ["127.0.0.1"]


def test_who_has_a_minted_token_is_not_held_back_by_who_guesses_beside_it(serve: Serve, tmp_path: Path) -> None:
    """Behind one proxy all have one address; 256 random bits cannot be guessed, so that they are always looked up."""
    access, (token,) = tokens_of(tmp_path, Grant("a", frozenset({"read"})))
    tried = [*[bearer("aedge_" + "x" * 43)] * 3, bearer(token)]
    assert statuses(serve, Access(access.tokens, wrong_rate=0.01), *tried) == [401, 429, 429, 200]


def test_a_missing_token_is_no_guess(serve: Serve) -> None:
    """A browser that opens a link is told 401 each time."""
    assert statuses(serve, Access(KnownTokens("secret")), *[{}] * 40) == [401] * 40


def test_no_answer_repeats_the_token(ask: Ask, tmp_path: Path) -> None:
    """Whatever is wrong with it."""
    over = datetime.now(UTC) - timedelta(seconds=1)
    access, tokens = tokens_of(tmp_path, Grant("a", frozenset({"read"})), Grant("old", frozenset({"read"}), over))
    for token in (*tokens, "aedge_" + "y" * 43):
        answer = ask("POST", "/v1/predict", headers=bearer(token), parts={"access": access})
        assert answer.status_code in {401, 403}
        assert token not in f"{answer.headers} {answer.text}"


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
