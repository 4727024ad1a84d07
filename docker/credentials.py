"""Makes, once, the certificates, passwords and tokens that the services of compose.yaml need to trust each other.

``credentials.py make`` writes what is missing into two folders: ``/secrets/broker`` for the broker, ``/secrets/edge``
for the daemon. ``credentials.py show`` prints the token for HTTP and the account of a second client of the broker. To
begin anew, remove the volumes; to use your own certificates, put them there under the same names.
"""

import argparse
import base64
import datetime
import hashlib
import ipaddress
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAYS = 3650
ITERATIONS = 100_000
DAEMON, VIEWER = "automl-edge", "viewer"
BROKER_NAMES = ("mosquitto", "localhost")

EDGE_TOML = """\
# Made by docker/credentials.py. Keys that are not secret are in compose.yaml.
[http]
token = "{token}"

[mqtt]
username = "{daemon}"
password = "{password}"
"""


@dataclass(frozen=True)
class Folder:
    """Where one service's files go, and the user who may read them."""

    path: Path
    owner: int | None = None


def main() -> None:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("what", choices=("make", "show"))
    parser.add_argument("--broker", type=Path, default=Path("/secrets/broker"))
    parser.add_argument("--edge", type=Path, default=Path("/secrets/edge"))
    parser.add_argument("--broker-owner", type=int, help="user id of the broker's files; needs root")
    parser.add_argument("--edge-owner", type=int, help="user id of the daemon's files; needs root")
    given = parser.parse_args()
    if given.what == "make":
        make(Folder(given.broker, given.broker_owner), Folder(given.edge, given.edge_owner))
    else:
        print((given.edge / "access.txt").read_text())  # noqa: T201 - what was asked for


def make(broker: Folder, edge: Folder) -> None:
    """Write what is missing; files that are there stay as they are."""
    if not (broker.path / "broker.pem").exists():
        _certificates(broker, edge)
    if not (broker.path / "passwords").exists():
        _accounts(broker, edge)


def _accounts(broker: Folder, edge: Folder) -> None:
    """Write the broker's passwords, hashed, and the daemon's configuration; the broker's file last: it tells all is."""
    passwords = {name: secrets.token_urlsafe(24) for name in (DAEMON, VIEWER)}
    token = secrets.token_urlsafe(32)
    _write(edge, "edge.toml", EDGE_TOML.format(token=token, daemon=DAEMON, password=passwords[DAEMON]))
    access = f"HTTP token:      {token}\nbroker user:     {VIEWER}\nbroker password: {passwords[VIEWER]}"
    _write(edge, "access.txt", access)
    _write(broker, "passwords", _hashed(passwords))


def _hashed(passwords: Mapping[str, str]) -> str:
    """Return mosquitto's password file: ``name:$7$iterations$salt$hash``, PBKDF2 with SHA-512."""
    lines = []
    for name, password in passwords.items():
        salt = secrets.token_bytes(12)
        derived = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
        salt_text, hash_text = (base64.b64encode(part).decode() for part in (salt, derived))
        lines.append(f"{name}:$7${ITERATIONS}${salt_text}${hash_text}\n")
    return "".join(lines)


def _certificates(broker: Folder, edge: Folder) -> None:
    """Write an authority's certificate, and the broker's with its key; the authority's key is not kept."""
    authority_key, broker_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _named("automl-edge compose authority")
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    ca = (
        _certificate(authority, authority, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    names = [*map(x509.DNSName, BROKER_NAMES), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        _certificate(_named("mosquitto"), authority, broker_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    key_pem = broker_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    ca_pem = ca.public_bytes(serialization.Encoding.PEM).decode()
    _write(edge, "ca.pem", ca_pem)
    _write(broker, "ca.pem", ca_pem)
    _write(broker, "broker.key", key_pem)
    _write(broker, "broker.pem", certificate.public_bytes(serialization.Encoding.PEM).decode())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
    )


def _write(folder: Folder, name: str, text: str) -> None:
    """Write a file that its owner alone may read, wholly or not at all."""
    folder.path.mkdir(parents=True, exist_ok=True)
    new = folder.path / f"{name}.new"
    new.touch(mode=0o600)
    new.write_text(text)
    if folder.owner is not None:
        os.chown(new, folder.owner, folder.owner)
    new.replace(folder.path / name)


if __name__ == "__main__":
    main()
