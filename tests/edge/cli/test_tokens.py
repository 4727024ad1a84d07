"""``automl-edge token``: made once, listed without showing, revoked."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.tokens import Grant, KnownTokens, TokensFile
from tests.edge.cli.conftest import Cli


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the tokens go."""
    return tmp_path / "tokens.json"


def test_a_new_token_is_printed_once_and_opens(cli: Cli, file: Path) -> None:
    """Standard output holds the token and nothing else, so that a script can take it."""
    made = cli("token", "new", "line-1", "--scope", "predict", "--scope", "read", "--expires", "90d", "--file", file)
    assert made.exit_code == 0
    token = made.stdout.strip()
    assert re.fullmatch(r"aedge_[A-Za-z0-9_-]{43}", token)
    assert made.stderr.startswith("line-1: predict, read, until ")
    grant = KnownTokens(None, file).grant_of(token.encode())
    assert grant is not None
    assert grant.scopes == {"predict", "read"}
    assert grant.expires_at is not None
    assert abs(grant.expires_at - datetime.now(UTC) - timedelta(days=90)) < timedelta(minutes=1)
    assert token not in file.read_text()


def test_tokens_are_listed_without_showing_them(cli: Cli, file: Path) -> None:
    """Names, scopes and expiry, for people and for programs."""
    over = datetime.now(UTC) - timedelta(days=1)
    tokens = [TokensFile(file).add(Grant("ops", frozenset({"operate", "read"})))]
    tokens.append(TokensFile(file).add(Grant("old", frozenset({"predict"}), over)))
    shown = cli("token", "list", "--file", file).stdout
    assert re.search(r"ops +operate, read +\S+ +never", shown)
    assert re.search(r"old +predict +\S+ +\S+ \(expired\)", shown)
    listed = json.loads(cli("token", "list", "--file", file, "--json").stdout)
    assert [(row["name"], row["expired"]) for row in listed["tokens"]] == [("ops", False), ("old", True)]
    assert not any(token in shown for token in tokens)


def test_a_revoked_token_opens_nothing(cli: Cli, file: Path) -> None:
    """By its name."""
    token = TokensFile(file).add(Grant("ops", frozenset({"operate"})))
    done = cli("token", "revoke", "ops", "--file", file)
    assert (done.exit_code, done.stdout) == (0, "ops opens nothing any more\n")
    assert KnownTokens("x", file).grant_of(token.encode()) is None


def test_the_file_comes_from_the_configuration(cli: Cli, tmp_path: Path) -> None:
    """http.tokens_file, or tokens.json in storage.path; the second is told to be of no use yet."""
    config = tmp_path / "edge.toml"
    config.write_text('[storage]\npath = "state"\n')
    made = cli("token", "new", "a", "--scope", "read", "-c", config)
    assert TokensFile(tmp_path / "state" / "tokens.json").read()
    assert f'set [http] tokens_file = "{tmp_path / "state" / "tokens.json"}"' in made.stderr
    config.write_text('[http]\ntokens_file = "mine.json"\n')
    made = cli("token", "new", "a", "--scope", "read", "-c", config)
    assert TokensFile(tmp_path / "mine.json").read()
    assert "does not ask" not in made.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["new", "a b", "--scope", "read"], "a name is letters, digits"),
        (["new", "../a", "--scope", "read"], "a name is letters, digits"),
        (["new", "a"], "Missing option '--scope'"),
        (["new", "a", "--scope", "admin"], "'admin' is not one of"),
        (["new", "a", "--scope", "read", "--expires", "3y"], "is no span such as 12h, 90d or 4w"),
        (["new", "a", "--scope", "read", "--expires", "-1d"], "is no span such as"),
        (["new", "a", "--scope", "read", "--expires", "999999w"], "is no span such as"),
        (["revoke", "nobody"], "there is no token 'nobody'; there are: none"),
    ],
)
def test_wrong_usage_is_told(cli: Cli, file: Path, arguments: list[str], says: str) -> None:
    """With exit code 2, and nothing is written."""
    done = cli("token", *arguments, "--file", file)
    assert (done.exit_code, done.stdout) == (2, "")
    assert says in done.stderr
    assert not file.exists()


def test_a_token_in_the_place_of_a_name_is_not_repeated(cli: Cli, file: Path) -> None:
    """Somebody pasted the wrong thing; it need not stand in a log too."""
    token = TokensFile(file).add(Grant("ops", frozenset({"operate"})))
    done = cli("token", "revoke", token, "--file", file)
    assert done.exit_code == 2
    assert "this is a token, not the name of one" in done.stderr
    assert token not in done.output
