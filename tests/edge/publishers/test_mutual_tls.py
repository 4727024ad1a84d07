"""Mutual TLS: a mosquitto that lets in nobody without a certificate that it knows, and what is said of bad ones."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.publishers.mqtt_settings import Tls
from tests.edge.api.certificates import make_pair, openssl, sign_until
from tests.edge.publishers.conftest import MakeBroker, MakePublisher
from tests.edge.publishers.results import make_result
from tests.mosquitto import Certificates, Mosquitto, make_certificates, needs_mosquitto, until

pytestmark = needs_mosquitto
LONG_AGO = "20200101000000Z"


@pytest.fixture
def strict(make_broker: MakeBroker, certificates: Certificates) -> Mosquitto:
    """A broker that requires client certificates."""
    return make_broker(tls=certificates, client_certificates=True)


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of another authority, which bears another name."""
    folder = tmp_path_factory.mktemp("strangers")
    found = make_certificates(folder)
    subject = ["-subj", "/CN=another authority", "-days", "1"]
    openssl("req", "-x509", "-key", str(folder / "ca.key"), *subject, "-out", str(found.ca))
    sign = ["-CA", str(found.ca), "-CAkey", str(folder / "ca.key"), "-CAcreateserial", "-days", "1"]
    openssl("x509", "-req", "-in", str(folder / "client.csr"), *sign, "-out", str(found.client_cert))
    return found


def expired(certificates: Certificates, name: str, folder: Path) -> Path:
    """Return a certificate of the right authority that ended long ago."""
    at = certificates.ca.parent
    cert = folder / f"{name}-expired.pem"
    sign_until(LONG_AGO, at / f"{name}.csr", cert, "-cert", str(certificates.ca), "-keyfile", str(at / "ca.key"))
    cert.chmod(0o644)
    return cert


def own(certificates: Certificates, **other: Path | None) -> Tls:
    """Return what lets a device in, or what ``other`` says."""
    right = {"ca_file": certificates.ca, "cert_file": certificates.client_cert, "key_file": certificates.client_key}
    return Tls(**(right | other))


def problem(make_publisher: MakePublisher, broker: Mosquitto, tls: Tls, protocol: str = "3.1.1") -> str:
    """Return what a publisher says that is not let in."""
    publisher = make_publisher(broker.port, tls=tls, protocol=protocol)
    publisher.start()
    until(lambda: publisher.problem is not None, what="a problem")
    assert not publisher.connected
    return publisher.problem or ""


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_known_certificate_lets_in(
    strict: Mosquitto, make_publisher: MakePublisher, certificates: Certificates, protocol: str
) -> None:
    """And results arrive."""
    publisher = make_publisher(strict.port, tls=own(certificates), protocol=protocol)
    publisher.start()
    publisher.publish(make_result(1))
    until(lambda: publisher.connected and publisher.depth == 0, what="the result delivered")
    assert publisher.problem is None


@pytest.mark.parametrize("protocol", ["3.1.1", "5"])
def test_a_missing_certificate_is_told(
    strict: Mosquitto, make_publisher: MakePublisher, certificates: Certificates, protocol: str
) -> None:
    """Though the handshake itself succeeds (TLS 1.3), the remedy is the certificate and not the client's name."""
    said = problem(make_publisher, strict, Tls(ca_file=certificates.ca), protocol)
    assert "want a client certificate; set mqtt.cert_file and mqtt.key_file" in said


def test_a_certificate_of_another_authority_is_told(
    strict: Mosquitto, make_publisher: MakePublisher, certificates: Certificates, strangers: Certificates
) -> None:
    """With the file, and that the broker does not know who signed it."""
    tls = own(certificates, cert_file=strangers.client_cert, key_file=strangers.client_key)
    said = problem(make_publisher, strict, tls)
    assert str(strangers.client_cert) in said
    assert "TLS with MQTT broker" in said


def test_an_expired_certificate_is_told(
    strict: Mosquitto, make_publisher: MakePublisher, certificates: Certificates, tmp_path: Path
) -> None:
    """With the file to renew."""
    cert = expired(certificates, "client", tmp_path)
    said = problem(make_publisher, strict, own(certificates, cert_file=cert))
    assert str(cert) in said
    assert "TLS with MQTT broker" in said


def test_a_broker_of_another_authority_gets_nothing(
    strict: Mosquitto, make_publisher: MakePublisher, certificates: Certificates, strangers: Certificates
) -> None:
    """The device refuses it, and names the key of the configuration."""
    assert "check mqtt.ca_file" in problem(make_publisher, strict, own(certificates, ca_file=strangers.ca))


def test_an_expired_certificate_of_the_broker_is_told(
    make_broker: MakeBroker, make_publisher: MakePublisher, certificates: Certificates, tmp_path: Path
) -> None:
    """Either it is old, or this device's clock is wrong."""
    old = make_pair(tmp_path, until=LONG_AGO)
    tmp_path.chmod(0o755)
    old.key.chmod(0o644)
    tls = Certificates(old.cert, old.cert, old.key, certificates.client_cert, certificates.client_key)
    said = problem(make_publisher, make_broker(tls=tls), own(certificates, ca_file=old.cert))
    assert "certificate has expired; renew the broker's certificate, or set the clock here" in said


BAD_FILES: dict[str, tuple[Callable[[Certificates, Path], dict[str, Path]], str]] = {
    "key of another": (lambda c, _: {"key_file": c.broker_key}, r"broker\.key is not the key of mqtt\.cert_file"),
    "no certificate": (lambda _, f: {"cert_file": f / "no.pem"}, r"mqtt\.cert_file: .*no\.pem .*No such file"),
    "no key": (lambda _, f: {"key_file": f / "no.key"}, r"mqtt\.key_file: .*no\.key .*No such file"),
    "swapped": (lambda c, _: {"cert_file": c.client_key, "key_file": c.client_cert}, "is no PEM file"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_cannot_be_used_end_the_start(certificates: Certificates, tmp_path: Path, name: str) -> None:
    """The error names the one at fault."""
    files, says = BAD_FILES[name]
    with pytest.raises(ConfigError, match=says):
        own(certificates, **files(certificates, tmp_path)).context()


def test_a_key_with_a_password_is_told_and_nobody_is_asked(certificates: Certificates, tmp_path: Path) -> None:
    """The remedy is a command."""
    locked = tmp_path / "locked.key"
    openssl("pkey", "-in", str(certificates.client_key), "-aes256", "-passout", "pass:canary", "-out", str(locked))
    with pytest.raises(ConfigError, match=r"locked\.key is encrypted; .*openssl pkey -in"):
        own(certificates, key_file=locked).context()
