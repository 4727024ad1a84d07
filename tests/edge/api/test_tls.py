"""HTTPS: a certificate that is read again when it changes, and clear words about every bad one."""

import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.types import ASGIApp

from edge.api.feed import Feed
from edge.api.server import HttpServer
from edge.api.tls import ServerTls
from edge.errors import ConfigError
from tests.edge.api.certificates import Pair, make_pair, openssl
from tests.mosquitto import until


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pair, Pair]:
    """Two pairs that nobody changes."""
    folder = tmp_path_factory.mktemp("pairs")
    return make_pair(folder / "one"), make_pair(folder / "two")


@pytest.fixture
def pair(tmp_path: Path, pairs: tuple[Pair, Pair]) -> Pair:
    """A pair of the test's own."""
    mine = Pair(tmp_path / "cert.pem", tmp_path / "key.pem")
    pairs[0].put_in_place_of(mine)
    return mine


@contextmanager
def https(app: ASGIApp, tls: ServerTls) -> Iterator[HttpServer]:
    with HttpServer(app, feed=Feed(), host="127.0.0.1", port=0, tls=tls) as server:
        yield server


def shown_by(server: HttpServer, *, name: str | None = None) -> bytes:
    """Return the certificate (DER) that a new client is shown, who may name the server (SNI) or not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection(server.address, timeout=10)
    with context.wrap_socket(plain, server_hostname=name) as connection:
        return connection.getpeercert(binary_form=True) or b""


def der(pair: Pair) -> bytes:
    return ssl.PEM_cert_to_DER_cert(pair.cert.read_text())


def trusting(pair: Pair) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=pair.cert)


def test_a_client_that_trusts_the_certificate_is_answered(make_app: Callable[..., ASGIApp], pair: Pair) -> None:
    """One that does not sees that; the address begins with https."""
    with https(make_app(), ServerTls(pair.cert, pair.key)) as server:
        assert server.url.startswith("https://127.0.0.1:")
        assert httpx.get(server.url + "livez", verify=trusting(pair)).json() == {"status": "live"}
        with pytest.raises(httpx.ConnectError, match="self-signed"):
            httpx.get(server.url + "livez")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_of_tls_are_refused(make_app: Callable[..., ASGIApp], pair: Pair, version: ssl.TLSVersion) -> None:
    """1.2 is the oldest."""
    client = trusting(pair)
    client.minimum_version = client.maximum_version = version
    client.set_ciphers("ALL:@SECLEVEL=0")
    with https(make_app(), ServerTls(pair.cert, pair.key)) as server, pytest.raises(httpx.ConnectError):
        httpx.get(server.url + "livez", verify=client)


def test_a_new_certificate_is_shown_to_new_clients(
    make_app: Callable[..., ASGIApp], pair: Pair, pairs: tuple[Pair, Pair]
) -> None:
    """With and without a name in the handshake; a connection that stands goes on."""
    tls = ServerTls(pair.cert, pair.key, every_s=0.0)
    with https(make_app(), tls) as server, httpx.Client(verify=trusting(pair)) as before:
        assert before.get(server.url + "livez").status_code == 200
        assert shown_by(server) == der(pairs[0])
        pairs[1].put_in_place_of(pair)
        assert shown_by(server) == shown_by(server, name="localhost") == der(pairs[1])
        assert before.get(server.url + "livez").status_code == 200
        assert tls.warnings() == []


def test_it_is_read_again_within_a_second(
    make_app: Callable[..., ASGIApp], pair: Pair, pairs: tuple[Pair, Pair]
) -> None:
    """With the interval of the daemon."""
    with https(make_app(), ServerTls(pair.cert, pair.key)) as server:
        pairs[1].put_in_place_of(pair)
        until(lambda: shown_by(server) == der(pairs[1]), within_s=2.5, what="the new certificate")


SPOILED: dict[str, Callable[[Pair, Pair], object]] = {
    "another key": lambda mine, other: mine.key.write_bytes(other.key.read_bytes()),
    "another certificate": lambda mine, other: mine.cert.write_bytes(other.cert.read_bytes()),
    "cut off": lambda mine, _: mine.cert.write_bytes(mine.cert.read_bytes()[:100]),
    "damaged": lambda mine, _: mine.cert.write_text(mine.cert.read_text().replace("M", "N", 3)),
    "empty": lambda mine, _: mine.key.write_bytes(b""),
    "gone": lambda mine, _: mine.key.unlink(),
}


@pytest.mark.parametrize("way", SPOILED)
def test_a_bad_pair_keeps_the_old_one_and_says_so(
    make_app: Callable[..., ASGIApp], pair: Pair, pairs: tuple[Pair, Pair], way: str
) -> None:
    """For as long as it is bad; put right, it is taken."""
    tls = ServerTls(pair.cert, pair.key, every_s=0.0)
    with https(make_app(), tls) as server:
        SPOILED[way](pair, pairs[1])
        assert shown_by(server) == der(pairs[0])
        (warning,) = [text for text in tls.warnings() if "read last is still served" in text]
        assert str(pair.cert.parent) in warning
        pairs[1].put_in_place_of(pair)
        assert tls.warnings() == []
        assert shown_by(server) == der(pairs[1])


@pytest.mark.parametrize("way", SPOILED)
def test_a_bad_pair_at_the_start_is_an_error(pair: Pair, pairs: tuple[Pair, Pair], way: str) -> None:
    """It names the file."""
    SPOILED[way](pair, pairs[1])
    with pytest.raises(ConfigError, match=r"http\.(cert|key)_file .*/(cert|key)\.pem"):
        ServerTls(pair.cert, pair.key)


def test_the_remedy_is_named(pair: Pair, pairs: tuple[Pair, Pair]) -> None:
    """A missing file, a key of another certificate, files swapped."""
    with pytest.raises(ConfigError, match=r"http\.cert_file .*/no\.pem: cannot be read: No such file"):
        ServerTls(pair.cert.with_name("no.pem"), pair.key)
    with pytest.raises(ConfigError, match=r"edge\.key: is not the key of http\.cert_file .*cert\.pem"):
        ServerTls(pair.cert, pairs[1].key)
    with pytest.raises(ConfigError, match="holds no certificate in PEM form"):
        ServerTls(pair.key, pair.cert)


def test_a_key_with_a_password_is_told_and_nobody_is_asked(pair: Pair) -> None:
    """The remedy is a command."""
    locked = pair.key.with_name("locked.pem")
    openssl("pkey", "-in", str(pair.key), "-aes256", "-passout", "pass:canary", "-out", str(locked))
    with pytest.raises(ConfigError, match=r"locked\.pem: is encrypted; .*openssl pkey -in"):
        ServerTls(pair.cert, locked)


def test_an_expired_certificate_is_served_with_a_warning(make_app: Callable[..., ASGIApp], tmp_path: Path) -> None:
    """A device whose clock was never set must not be cut off by it; clients decide."""
    old = make_pair(tmp_path, until="20200101000000Z")
    tls = ServerTls(old.cert, old.key)
    (warning,) = tls.warnings()
    assert "the certificate has expired, so that clients refuse it: put a new one in its place" in warning
    with https(make_app(), tls) as server, pytest.raises(httpx.ConnectError, match="expired"):
        httpx.get(server.url + "livez", verify=trusting(old))


def test_a_certificate_that_is_about_to_expire_is_told(tmp_path: Path) -> None:
    """Two weeks before, with the days that are left."""
    soon = make_pair(tmp_path, days=3)
    assert "expires in 2 days" in ServerTls(soon.cert, soon.key).warnings()[0]


def test_a_key_that_others_may_read_is_told(pair: Pair) -> None:
    """With the command that mends it."""
    pair.key.chmod(0o644)
    assert f"chmod 600 {pair.key}" in ServerTls(pair.cert, pair.key).warnings()[0]


def test_what_is_no_tls_harms_nobody(make_app: Callable[..., ASGIApp], pair: Pair) -> None:
    """Plain HTTP, noise, clients that hang up in mid handshake, and one that says nothing at all."""
    with https(make_app(), ServerTls(pair.cert, pair.key)) as server:
        silent = socket.create_connection(server.address)
        for noise in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"", b"\x00" * 5000):
            with socket.create_connection(server.address) as connection:
                connection.sendall(noise)
        with pytest.raises(httpx.TransportError):
            httpx.get(server.url.replace("https", "http") + "livez")
        assert httpx.get(server.url + "livez", verify=trusting(pair)).status_code == 200
        silent.close()


def test_curl_trusts_it_as_the_welcome_says(make_app: Callable[..., ASGIApp], pair: Pair) -> None:
    """With --cacert and the very certificate."""
    with https(make_app(), ServerTls(pair.cert, pair.key)) as server:
        command = ["curl", "-sS", "--cacert", str(pair.cert), server.url + "livez"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (0, '{"status":"live"}'), done.stderr
