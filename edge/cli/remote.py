"""The running daemon, asked over its own HTTP interface."""

import json
import re
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from edge.config import Config
from edge.errors import ConfigError, EdgeError, ModelError, ModelNotFoundError, UnavailableError

TIMEOUT_S = 120.0
"""Longest wait for an answer: proving a large model on a small device takes its time."""
PROBE_TIMEOUT_S = 2.0

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Daemon:
    """Where a daemon listens, the token it wants, and whom it is trusted by.

    With ``ca_file`` only its authorities are trusted, without it the system's. ``own_cert`` is the certificate that the
    daemon of this very configuration serves: then just that one is, whatever name it carries.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    own_cert: Path | None = None

    def answers(self) -> bool:
        """Tell whether a daemon is alive there; not where its certificate cannot be read, since none is then known."""
        try:
            connection = self._connection(PROBE_TIMEOUT_S)
        except ConfigError:
            return False
        try:
            connection.request("GET", "/livez")
            return _answer(connection.getresponse()).get("status") == "live"
        except (OSError, HTTPException, UnavailableError):
            return False
        finally:
            connection.close()

    def change(self, verb: str, name: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Ask for ``activate`` or ``rollback`` of a model and return the one that runs then.

        Raises UnavailableError where no daemon answers, ConfigError for a wrong token, ModelError for a model's fault.
        """
        path = f"/v1/models/{quote(name, safe='')}/{verb}"
        status, answer = self._post(path, b"" if body is None else json.dumps(body).encode())
        if status != 200:
            raise _refusal(status, str(answer.get("detail") or f"status {status}"))
        model: Mapping[str, Any] = answer["model"]
        return model

    def _post(self, path: str, body: bytes) -> tuple[int, Mapping[str, Any]]:
        headers = {"Content-Type": "application/json"} if body else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        connection = self._connection(TIMEOUT_S)
        try:
            connection.request("POST", urlsplit(self.url).path.rstrip("/") + path, body, headers)
            response = connection.getresponse()
            return response.status, _answer(response)
        except (OSError, HTTPException) as error:
            raise UnavailableError(self._silence(error)) from error
        finally:
            connection.close()

    def _connection(self, timeout_s: float) -> HTTPConnection:
        try:
            parts = urlsplit(self.url)
            host, port = parts.hostname or "127.0.0.1", parts.port
        except ValueError as error:
            raise self._no_url() from error
        if parts.scheme == "https":
            return HTTPSConnection(host, port, timeout=timeout_s, context=self._trust())
        if parts.scheme != "http":
            raise self._no_url()
        return HTTPConnection(host, port, timeout=timeout_s)

    def _no_url(self) -> ConfigError:
        return ConfigError(f"{self.url!r} is no URL of a daemon, such as http://127.0.0.1:8080")

    def _trust(self) -> ssl.SSLContext:
        """Return what judges the daemon's certificate. Raises ConfigError naming the file."""
        place = self.ca_file or self.own_cert
        try:
            if self.ca_file is not None or self.own_cert is None:
                return ssl.create_default_context(cafile=self.ca_file)
            return _only(self.own_cert)
        except OSError as error:  # ssl.SSLError is one
            reason = error.strerror or str(error)
            raise ConfigError(f"{place}: cannot be used to check the daemon's certificate: {reason}") from error

    def _silence(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"{self.url} is not trusted: {error.verify_message}; give the authority's certificate with --ca"
        if isinstance(error, ssl.SSLError):
            return f"TLS with {self.url} fails: {error.reason}; does the daemon speak HTTPS there?"
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        hint = "start it with 'automl-edge run', or give its --url (https where it has a certificate)"
        return f"no daemon answers at {self.url} ({reason}): {hint}"


def _only(cert_file: Path) -> ssl.SSLContext:
    """Return a context that trusts the first certificate of a file, and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the very certificate is known, not only who signed it
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    found = CERTIFICATE.search(cert_file.read_text(encoding="latin-1"))
    if found is None:
        raise ssl.SSLError("it holds no certificate in PEM form")
    context.load_verify_locations(cadata=found[0])
    return context


def daemon_of(
    config: Config, url: str | None, *, token_file: Path | None = None, ca_file: Path | None = None
) -> Daemon:
    """Return the daemon that a configuration starts, at ``url`` where that is given.

    The token is that of ``token_file`` (``-``: standard input), else of the configuration. Raises ConfigError.
    """
    http = config.http
    token = _token(token_file) if token_file else http.token.get_secret_value() if http.token else None
    if url is None and (http.port == 0 or not http.enabled):
        raise ConfigError("http.port is 0 or http.enabled is false: where does the daemon listen? give its --url")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(http.host, http.host)
    scheme = "https" if http.cert_file else "http"
    own = f"{scheme}://{f'[{host}]' if ':' in host else host}:{http.port}"
    return Daemon(url or own, token, ca_file, http.cert_file if url is None else None)


def _token(path: Path) -> str:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(f"--token-file {path}: cannot be read: {reason}") from error
    token = text.strip()
    if not re.fullmatch(r"[!-~]+", token):
        raise ConfigError(f"--token-file {path}: must hold one token and nothing else")
    return token


def _answer(response: HTTPResponse) -> Mapping[str, Any]:
    try:
        answer = json.loads(response.read())
    except ValueError as error:
        raise UnavailableError(f"what answers there is no daemon: {response.status} without JSON") from error
    return answer if isinstance(answer, dict) else {}


def _refusal(status: int, detail: str) -> EdgeError:
    if status in (401, 403):
        hint = "give a token that may do this with --token-file, EDGE_HTTP__TOKEN or the config file"
        return ConfigError(f"the daemon refuses: {detail}; {hint}")
    if status == 404:
        return ModelNotFoundError(detail)
    return ModelError(detail) if status < 500 else UnavailableError(f"the daemon says: {detail}")
