"""The running daemon, asked over its own HTTP interface."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlsplit

from edge.config import Config
from edge.errors import ConfigError, EdgeError, ModelError, ModelNotFoundError, UnavailableError

TIMEOUT_S = 120.0
"""Longest wait for an answer: proving a large model on a small device takes its time."""
PROBE_TIMEOUT_S = 2.0

CONNECTIONS: Mapping[str, type[HTTPConnection]] = {"http": HTTPConnection, "https": HTTPSConnection}


@dataclass(frozen=True, slots=True)
class Daemon:
    """Where a daemon listens, and the token it wants."""

    url: str
    token: str | None = None

    def answers(self) -> bool:
        """Tell whether a daemon is alive there."""
        connection = self._connection(PROBE_TIMEOUT_S)
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
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise UnavailableError(
                f"no daemon answers at {self.url} ({reason}): start it with 'automl-edge run', or give its --url"
            ) from error
        finally:
            connection.close()

    def _connection(self, timeout_s: float) -> HTTPConnection:
        try:
            parts = urlsplit(self.url)
            host, port, kind = parts.hostname, parts.port, CONNECTIONS[parts.scheme]
        except (ValueError, KeyError) as error:
            raise ConfigError(f"{self.url!r} is no URL of a daemon, such as http://127.0.0.1:8080") from error
        return kind(host or "127.0.0.1", port, timeout=timeout_s)


def daemon_of(config: Config, url: str | None) -> Daemon:
    """Return the daemon that a configuration starts, at ``url`` where that is given. Raises ConfigError."""
    http = config.http
    if url is None and (http.port == 0 or not http.enabled):
        raise ConfigError("http.port is 0 or http.enabled is false: where does the daemon listen? give its --url")
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(http.host, http.host)
    own = f"http://{f'[{host}]' if ':' in host else host}:{http.port}"
    return Daemon(url or own, http.token.get_secret_value() if http.token else None)


def _answer(response: HTTPResponse) -> Mapping[str, Any]:
    try:
        answer = json.loads(response.read())
    except ValueError as error:
        raise UnavailableError(f"what answers there is no daemon: {response.status} without JSON") from error
    return answer if isinstance(answer, dict) else {}


def _refusal(status: int, detail: str) -> EdgeError:
    if status in (401, 403):
        return ConfigError(f"the daemon refuses: {detail}; give its token with EDGE_HTTP__TOKEN or the config file")
    if status == 404:
        return ModelNotFoundError(detail)
    return ModelError(detail) if status < 500 else UnavailableError(f"the daemon says: {detail}")
