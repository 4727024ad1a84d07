"""``automl-edge models keygen``, ``sign``, and what ``verify`` and ``list`` say about it."""

import json
from pathlib import Path

import pytest

from tests.edge.cli.conftest import Cli
from tests.fakes import edit_manifest


@pytest.fixture
def key(cli: Cli, tmp_path: Path) -> Path:
    assert cli("models", "keygen", tmp_path / "key.pem").exit_code == 0
    return tmp_path / "key.pem"


def test_keygen_prints_what_the_configuration_takes(cli: Cli, tmp_path: Path) -> None:
    """The public key alone is on standard output; the file is not overwritten by a second call."""
    made = cli("models", "keygen", tmp_path / "key.pem")
    assert made.stdout.startswith("ed25519:")
    assert len(made.stdout.splitlines()) == 1
    config = tmp_path / "edge.toml"
    config.write_text(f'[registry]\ntrusted_keys = ["{made.stdout.strip()}"]\n')
    assert cli("check", "-c", config).exit_code == 0
    again = cli("models", "keygen", tmp_path / "key.pem")
    assert (again.exit_code, again.stdout) == (2, "")
    assert "is not overwritten" in again.stderr
    other = json.loads(cli("models", "keygen", tmp_path / "other.pem", "--json").stdout)
    assert other["private_key"] == str(tmp_path / "other.pem")


def test_verify_tells_who_signed(cli: Cli, registry: Path, key: Path) -> None:
    """Unsigned, signed, signed by one of those who must: each is said; a key that did not sign is a failure."""
    bundle = registry / "colours/1"
    assert "signed    unsigned\n" in cli("models", "verify", bundle).stdout
    signed = cli("models", "sign", bundle, "--key", key)
    public = signed.stdout.strip().rpartition(" ")[2]
    assert signed.stdout == f"{bundle} is signed by {public}\n"
    assert f"signed    by {public}\n" in cli("models", "verify", bundle).stdout
    assert f"signed    by {public} (trusted)\n" in cli("models", "verify", bundle, "--key", public).stdout
    assert json.loads(cli("models", "verify", bundle, "--json").stdout)["signed_by"] == [public]
    stranger = cli("models", "verify", bundle, "--key", "ed25519:" + "A" * 43 + "=")
    assert (stranger.exit_code, stranger.stdout) == (1, "")
    assert "not among" in stranger.stderr
    assert cli("models", "verify", bundle, "--key", "nonsense").exit_code == 2


def test_verify_takes_the_keys_of_a_configuration(cli: Cli, registry: Path, key: Path, tmp_path: Path) -> None:
    """With -c the bundle must be one that the daemon would take."""
    public = json.loads(cli("models", "sign", registry / "colours/1", "--key", key, "--json").stdout)["public_key"]
    config = tmp_path / "edge.toml"
    config.write_text(f'[registry]\ntrusted_keys = ["{public}"]\n')
    assert cli("models", "verify", registry / "colours/1", "-c", config).exit_code == 0
    unsigned = cli("models", "verify", registry / "colours/2", "-c", config)
    assert unsigned.exit_code == 1
    assert "colours:2 is not signed" in unsigned.stderr


def test_a_change_after_signing_fails(cli: Cli, registry: Path, key: Path) -> None:
    """Verify finds it without being given a key."""
    cli("models", "sign", registry / "colours/1", "--key", key)
    edit_manifest(registry / "colours/1", lambda manifest: manifest["metrics"].update(accuracy=1.0))
    changed = cli("models", "verify", registry / "colours/1")
    assert changed.exit_code == 1
    assert "was changed after it was signed" in changed.stderr


def test_list_and_pull_know_of_signatures(cli: Cli, registry: Path, key: Path, tmp_path: Path) -> None:
    """Signed versions are marked, and the signature goes with the copy."""
    cli("models", "sign", registry / "colours/1", "--key", key)
    rows = json.loads(cli("models", "list", "--registry", registry, "--json").stdout)["models"]
    assert {row["version"]: row["signed"] for row in rows} == {"1": True, "2": False}
    cli("models", "pull", "colours:1", "--registry", registry, "--into", tmp_path / "here")
    assert "signed    by ed25519:" in cli("models", "verify", tmp_path / "here/colours/1").stdout


@pytest.mark.parametrize(("bundle", "key_file", "code"), [("nowhere", "key.pem", 1), ("colours/1", "nowhere.pem", 2)])
def test_what_is_missing_is_named(cli: Cli, registry: Path, key: Path, bundle: str, key_file: str, code: int) -> None:
    """A bundle or a key that is not there."""
    result = cli("models", "sign", registry / bundle, "--key", key.with_name(key_file))
    assert result.exit_code == code
    assert "nowhere" in result.stderr
