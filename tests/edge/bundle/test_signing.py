"""Who vouches for a bundle: signatures over the manifest's exact bytes."""

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from edge.bundle import MANIFEST, SIGNATURE, open_bundle
from edge.bundle.signature import read_signatures
from edge.bundle.signing import check_signed, generate_key, load_key, sign, signers
from edge.errors import ConfigError, ModelInvalidError, ModelUntrustedError
from tests.fakes import edit_manifest, make_bundle, truncate

openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_bundle(tmp_path / "bundle", golden=False)


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    generate_key(tmp_path / "ours.pem")
    return tmp_path / "ours.pem"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    generate_key(tmp_path / "theirs.pem")
    return tmp_path / "theirs.pem"


def test_a_signed_bundle_is_trusted(folder: Path, ours: Path) -> None:
    """What a trusted key signed passes, and its digest is the one it had before."""
    digest = open_bundle(folder).digest
    public = sign(folder, ours)
    bundle = open_bundle(folder)
    check_signed(bundle, [public])
    assert signers(bundle) == (public,)
    assert bundle.digest == digest


def test_an_unsigned_bundle_says_what_to_do(folder: Path) -> None:
    """Without a signature nobody vouches, and the remedy is named."""
    with pytest.raises(ModelUntrustedError, match=r"colours:1 is not signed; .* automl-edge models sign"):
        check_signed(open_bundle(folder), ["ed25519:x"])
    assert signers(open_bundle(folder)) == ()


def test_another_key_does_not_do(folder: Path, ours: Path, theirs: Path) -> None:
    """A signature of somebody who is not trusted is named as such."""
    public = sign(folder, ours)
    stranger = sign(folder, theirs)
    check_signed(open_bundle(folder), [public])
    with pytest.raises(ModelUntrustedError, match=r"not among registry\.trusted_keys") as caught:
        check_signed(open_bundle(folder), ["ed25519:" + "A" * 43 + "="])
    assert public in str(caught.value)
    assert stranger in str(caught.value)


def test_several_may_sign(folder: Path, ours: Path, theirs: Path) -> None:
    """One trusted signature is enough; signing again replaces one's own and leaves the others'."""
    first, second = sign(folder, ours), sign(folder, theirs)
    assert sign(folder, ours) == first
    assert [one.key for one in read_signatures(folder)] == [second, first]
    check_signed(open_bundle(folder), [first])
    check_signed(open_bundle(folder), [second])


def test_a_change_after_signing_is_found(folder: Path, ours: Path) -> None:
    """A manifest that differs by one character is not the one that was signed."""
    public = sign(folder, ours)
    edit_manifest(folder, lambda manifest: manifest["postprocessing"].update(threshold=0.4))
    with pytest.raises(ModelUntrustedError, match="was changed after it was signed"):
        check_signed(open_bundle(folder), [public])
    with pytest.raises(ModelUntrustedError, match="was changed after it was signed"):
        signers(open_bundle(folder))
    sign(folder, ours)
    check_signed(open_bundle(folder), [public])


def test_a_signature_of_another_bundle_does_not_do(folder: Path, ours: Path, tmp_path: Path) -> None:
    """A signature cannot be carried over to another bundle."""
    other = make_bundle(tmp_path / "other", version="2", golden=False)
    public = sign(folder, ours)
    shutil.copyfile(folder / SIGNATURE, other / SIGNATURE)
    with pytest.raises(ModelUntrustedError, match="another bundle's"):
        check_signed(open_bundle(other), [public])


def test_a_name_is_no_key(folder: Path, ours: Path, theirs: Path) -> None:
    """Writing a trusted key beside a signature that another key made convinces nobody."""
    public, _ = sign(folder, ours), sign(folder, theirs)
    body = json.loads((folder / SIGNATURE).read_text())
    body["signatures"] = [{**body["signatures"][1], "key": public}]
    (folder / SIGNATURE).write_text(json.dumps(body))
    with pytest.raises(ModelUntrustedError, match="does not hold"):
        check_signed(open_bundle(folder), [public])


SIGNED: dict[str, Any] = {"algorithm": "ed25519", "key": "ed25519:" + "A" * 43 + "=", "signature": "A" * 86 + "=="}


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"[]",
        b'{"schema": "automl-edge/signature/2", "signatures": []}',
        json.dumps({"schema": "automl-edge/signature/1", "signatures": [{**SIGNED, "algorithm": "rsa"}]}).encode(),
        json.dumps({"schema": "automl-edge/signature/1", "signatures": [{**SIGNED, "key": "ed25519:abc"}]}).encode(),
        json.dumps({"schema": "automl-edge/signature/1", "signatures": [{**SIGNED, "signature": "!"}]}).encode(),
        json.dumps({"schema": "automl-edge/signature/1", "signatures": [{**SIGNED, "more": 1}]}).encode(),
        b"x" * (65 << 10),
        b"[" * 5000,
        b"\xff",
    ],
)
def test_a_file_that_makes_no_sense(folder: Path, data: bytes) -> None:
    """Whatever is wrong with signature.json: the bundle is refused, and the file is named."""
    (folder / SIGNATURE).write_bytes(data)
    with pytest.raises(ModelInvalidError, match=SIGNATURE):
        check_signed(open_bundle(folder), [SIGNED["key"]])


def test_a_key_of_nonsense_does_not_hold(folder: Path) -> None:
    """Bytes that are no point on the curve are a signature that does not hold."""
    body = {"schema": "automl-edge/signature/1", "signatures": [{**SIGNED, "key": "ed25519:" + "/" * 42 + "8="}]}
    (folder / SIGNATURE).write_text(json.dumps(body))
    with pytest.raises(ModelUntrustedError):
        signers(open_bundle(folder))


def test_a_manifest_cannot_list_its_signature(folder: Path, ours: Path) -> None:
    """The signature is over the manifest, so that the manifest cannot hold its hash."""
    sign(folder, ours)
    edit_manifest(folder, lambda m: m["files"].update({SIGNATURE: {"sha256": "0" * 64, "size": 1}}))
    with pytest.raises(ModelInvalidError, match="cannot list its own signature"):
        open_bundle(folder)


def test_a_broken_bundle_is_not_signed(folder: Path, ours: Path) -> None:
    """Who signs vouches for every file, so every file is looked at."""
    truncate(folder / "model.onnx")
    with pytest.raises(ModelInvalidError, match=r"model\.onnx"):
        sign(folder, ours)
    assert not (folder / SIGNATURE).exists()


def test_a_new_key_is_for_its_owner_only(tmp_path: Path) -> None:
    """The file can be read by nobody else, and one that is there is never overwritten."""
    path = tmp_path / "key.pem"
    public = generate_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(base64.b64decode(public.removeprefix("ed25519:"))) == 32
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="is there already and is not overwritten"):
        generate_key(path)
    assert path.read_bytes() == before
    with pytest.raises(ConfigError, match="cannot write the key"):
        generate_key(tmp_path / "nowhere/key.pem")


@openssl
def test_keys_of_openssl_do(folder: Path, tmp_path: Path) -> None:
    """A key that OpenSSL made signs as ours does, and OpenSSL finds our signature good."""
    key, public = tmp_path / "key.pem", tmp_path / "public.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", key], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", public], check=True, capture_output=True)
    check_signed(open_bundle(folder), [sign(folder, key)])
    raw = tmp_path / "raw"
    raw.write_bytes(base64.b64decode(read_signatures(folder)[0].signature))
    command = f"pkeyutl -verify -pubin -inkey {public} -rawin -in {folder / MANIFEST} -sigfile {raw}"
    subprocess.run(["openssl", *command.split()], check=True, capture_output=True)


@openssl
@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048 -out", "holds a key for RSA, not Ed25519"),
        ("genpkey -algorithm x25519 -out", "holds a key for X25519, not Ed25519"),
        ("genpkey -algorithm ed25519 -aes256 -pass pass:secret -out", "is encrypted"),
    ],
)
def test_keys_that_do_not_do(tmp_path: Path, command: str, reason: str) -> None:
    """Another kind of key, or one behind a password: what it is, and the remedy."""
    subprocess.run(["openssl", *command.split(), tmp_path / "key.pem"], check=True, capture_output=True)
    with pytest.raises(ConfigError, match=reason) as caught:
        load_key(tmp_path / "key.pem")
    assert "automl-edge models keygen" in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"hello", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_files_that_are_no_keys(tmp_path: Path, data: bytes) -> None:
    """Anything else, a public key too, is told apart from a private key."""
    (tmp_path / "key.pem").write_bytes(data)
    with pytest.raises(ConfigError, match="no private key in PEM"):
        load_key(tmp_path / "key.pem")
    with pytest.raises(ConfigError, match="cannot read the key"):
        load_key(tmp_path / "nowhere")
