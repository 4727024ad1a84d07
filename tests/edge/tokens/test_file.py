"""The file of tokens: what is in it, who may read it, and that no writer spoils it."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.errors import ConfigError, StoreError
from edge.tokens import Grant, TokensFile, looks_minted
from edge.tokens.grants import digest_of

PREDICT = Grant("line-1", frozenset({"predict"}))
WRITER = """
import sys
from pathlib import Path
from edge.tokens import Grant, TokensFile
for number in range(10):
    TokensFile(Path(sys.argv[1])).add(Grant(f"{sys.argv[2]}-{number}", frozenset({"read"})))
"""


@pytest.fixture
def file(tmp_path: Path) -> TokensFile:
    """None there yet."""
    return TokensFile(tmp_path / "var" / "tokens.json")


def test_a_token_is_stored_hashed_and_shown_once(file: TokensFile) -> None:
    """49 characters that scanners recognise; the file holds its SHA-256 and not the token."""
    token = file.add(Grant("line-1", frozenset({"predict", "read"}), datetime(2030, 1, 1, tzinfo=UTC)))
    (entry,) = file.read()
    assert looks_minted(token.encode())
    assert len(token) == 49
    assert entry.digest == digest_of(token.encode())
    assert entry.grant == Grant("line-1", frozenset({"predict", "read"}), datetime(2030, 1, 1, tzinfo=UTC))
    assert token not in file.path.read_text()


def test_no_two_tokens_are_alike(file: TokensFile) -> None:
    """They are random."""
    assert len({file.add(Grant(name, frozenset({"read"}))) for name in "abcdefgh"}) == 8


def test_only_its_owner_may_read_it(file: TokensFile) -> None:
    """Whatever the process's mask says, and nothing is left beside it but the lock."""
    before = os.umask(0)
    try:
        file.add(PREDICT)
    finally:
        os.umask(before)
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in file.path.parent.iterdir()} == {"tokens.json", ".tokens.json.lock"}
    assert not file.others_may_write()


def test_a_revoked_token_is_gone_and_the_others_stay(file: TokensFile) -> None:
    """By its name."""
    file.add(PREDICT)
    file.add(Grant("line-2", frozenset({"predict"})))
    file.revoke("line-1")
    assert [entry.grant.name for entry in file.read()] == ["line-2"]


def test_names_are_unique_and_known(file: TokensFile) -> None:
    """A taken name and an unknown one are told; the file stays as it was."""
    file.add(PREDICT)
    before = file.path.read_bytes()
    with pytest.raises(ConfigError, match="there is a token 'line-1' already; revoke it first"):
        file.add(PREDICT)
    with pytest.raises(ConfigError, match="there is no token 'line-9'; there are: line-1"):
        file.revoke("line-9")
    assert file.path.read_bytes() == before


def test_writers_wait_for_each_other(file: TokensFile) -> None:
    """Four commands at once, ten tokens each: none is lost."""
    file.add(PREDICT)
    commands = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(file.path), name], cwd=Path(__file__).parents[3])
        for name in "abcd"
    ]
    assert [command.wait(60) for command in commands] == [0] * 4
    assert len(file.read()) == 41


def row(**changed: object) -> dict[str, object]:
    known = {"name": "a", "scopes": ["read"], "sha256": "0" * 64, "created_at": "2026-01-01T00:00:00Z"}
    return known | changed


DAMAGED = {
    "empty": b"",
    "cut off": b'{"schema": "automl-edge/tokens/1", "tok',
    "no object": b"[]",
    "another schema": b'{"schema": "automl-edge/tokens/2", "tokens": []}',
    "no schema": b'{"tokens": []}',
    "no UTF-8": b'{"schema": "\xff"}',
    **{
        name: json.dumps({"schema": "automl-edge/tokens/1", "tokens": tokens}).encode()
        for name, tokens in {
            "unknown scope": [row(scopes=["admin"])],
            "no scope": [row(scopes=[])],
            "no hash": [row(sha256="abc")],
            "naive time": [row(expires_at="2026-01-01T00:00:00")],
            "unknown key": [row(note="x")],
            "a name twice": [row(), row()],
            "a name of dots": [row(name="..")],
            "no list": "x",
        }.items()
    },
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_named_with_the_remedy(file: TokensFile, name: str) -> None:
    """It is never half read, and no command writes over it."""
    file.path.parent.mkdir()
    file.path.write_bytes(DAMAGED[name])
    with pytest.raises(ConfigError, match=r"tokens\.json: is damaged: .*put back a copy"):
        file.read()
    with pytest.raises(ConfigError, match="is damaged"):
        file.add(PREDICT)
    assert file.path.read_bytes() == DAMAGED[name]


def test_a_file_that_is_not_there_holds_no_token(file: TokensFile) -> None:
    """So that the first one can be made."""
    assert file.read() == ()


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    """To readers and to writers."""
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        TokensFile(tmp_path).read()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With the remedy."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"the tokens cannot be written: .*; run the command as the daemon's user"):
        TokensFile(tmp_path / "file" / "tokens.json").add(PREDICT)


def test_a_huge_file_is_not_read(file: TokensFile) -> None:
    """Somebody named the wrong one."""
    file.path.parent.mkdir()
    with file.path.open("wb") as huge:
        huge.truncate(1 << 30)
    with pytest.raises(ConfigError, match="more than 4 MiB"):
        file.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_leaves_the_file_to_the_daemons_user(file: TokensFile) -> None:
    """A new file gets the folder's owner, a replaced one keeps its own."""
    file.path.parent.mkdir()
    os.chown(file.path.parent, 1234, 1234)
    file.add(PREDICT)
    assert file.path.stat().st_uid == 1234
    os.chown(file.path, 2345, 2345)
    file.revoke("line-1")
    assert file.path.stat().st_uid == 2345
