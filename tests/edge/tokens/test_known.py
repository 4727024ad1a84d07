"""Which tokens open: the configuration's own and those of the file, whatever becomes of it."""

import logging
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.tokens import ALL_SCOPES, MASTER, Grant, KnownTokens, TokensFile
from tests.mosquitto import until

READ = Grant("board", frozenset({"read"}))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the tokens are."""
    return tmp_path / "tokens.json"


def known(path: Path, token: str | None = None) -> KnownTokens:
    """Return tokens that are looked at each time."""
    return KnownTokens(token, path, every_s=0.0)


def test_the_configurations_token_may_do_everything() -> None:
    """Any other opens nothing."""
    tokens = KnownTokens("secret")
    assert tokens.grant_of(b"secret") == Grant(MASTER, ALL_SCOPES)
    assert [tokens.grant_of(wrong) for wrong in (b"", b"secre", b"secrets", b"SECRET", b"\xff")] == [None] * 5


def test_an_empty_token_is_refused() -> None:
    """It would look like protection and be none."""
    with pytest.raises(ConfigError, match="token is empty"):
        KnownTokens("")


def test_a_token_of_the_file_is_found_again_and_again(path: Path) -> None:
    """The first time by comparing, later by memory."""
    tokens = [TokensFile(path).add(Grant(name, frozenset({"read"}))) for name in "abc"]
    opened = known(path)
    for _ in range(2):
        assert [grant.name for token in tokens if (grant := opened.grant_of(token.encode()))] == list("abc")
    assert opened.problem is None


def test_a_revoked_token_opens_nothing_though_it_was_remembered(path: Path) -> None:
    """A new one opens at once; nothing is restarted."""
    token, tokens = TokensFile(path).add(READ), known(path)
    assert tokens.grant_of(token.encode()) == READ
    TokensFile(path).revoke("board")
    assert tokens.grant_of(token.encode()) is None
    assert tokens.grant_of(TokensFile(path).add(READ).encode()) == READ


def test_revoking_works_within_a_second(path: Path) -> None:
    """With the interval of the daemon."""
    token, tokens = TokensFile(path).add(READ).encode(), KnownTokens(None, path)
    assert tokens.grant_of(token) == READ
    TokensFile(path).revoke("board")
    until(lambda: tokens.grant_of(token) is None, within_s=1.5, what="the end of the token")


def test_a_file_that_breaks_keeps_what_was_read_last(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A standing problem tells, once in the log, until it is put right."""
    token, tokens = TokensFile(path).add(READ).encode(), known(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:20])
    with caplog.at_level(logging.WARNING, "edge.tokens"):
        for _ in range(3):
            assert tokens.grant_of(token) == READ
            assert "is damaged" in (tokens.problem or "")
            assert "were read last still hold" in (tokens.problem or "")
    assert len(caplog.records) == 1
    path.write_bytes(whole)
    assert tokens.problem is None


def test_a_file_that_is_deleted_lets_nobody_in(path: Path) -> None:
    """Never everybody; the configuration's own token still opens."""
    token, tokens = TokensFile(path).add(READ).encode(), known(path, "secret")
    assert tokens.grant_of(token) == READ
    path.unlink()
    assert tokens.grant_of(token) is None
    assert tokens.grant_of(b"secret") is not None


def test_no_token_at_all_is_told(path: Path) -> None:
    """A daemon that lets nobody in says why, and how to make a token."""
    assert "nobody gets in: make one with 'automl-edge token new'" in (known(path).problem or "")
    assert known(path, "secret").problem is None


def test_a_file_that_others_may_write_is_told(path: Path) -> None:
    """Whoever can write it can make himself a token."""
    TokensFile(path).add(READ)
    tokens = known(path)
    path.chmod(0o666)
    assert "chmod 600" in (tokens.problem or "")


def test_a_broken_file_at_the_start_is_an_error(path: Path) -> None:
    """There is nothing that was read last."""
    path.write_text("{")
    with pytest.raises(ConfigError, match="is damaged"):
        known(path)
