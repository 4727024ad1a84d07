"""Who may ask over HTTP, whether what is said can be overheard, and what to warn of as long as it is so."""

import socket
from collections.abc import Sequence

from edge.api.access import Access
from edge.api.tls import ServerTls
from edge.config import is_loopback
from edge.config.network import HttpSection
from edge.tokens import KnownTokens


class Security:
    """What the configuration's ``[http]`` says about access. Raises ConfigError where a file cannot be used."""

    def __init__(self, http: HttpSection) -> None:
        self._http = http
        self.tls = ServerTls(http.cert_file, http.key_file) if http.cert_file and http.key_file else None
        token = http.token.get_secret_value() if http.token else None
        self._tokens = KnownTokens(token, http.tokens_file) if http.asks_for_token else None

    @property
    def access(self) -> Access:
        """Return who may ask for what. Without a token, and on loopback, only this device's own names are answered."""
        http = self._http
        guarded_by_name = self._tokens is None and is_loopback(http.host)
        names = ("localhost", http.host, socket.gethostname()) if guarded_by_name else None
        return Access(self._tokens, http.rate_limit, names)

    def warnings(self) -> Sequence[str]:
        """Return what is not as safe as it could be, for as long as it is so."""
        found = list(exposure(self._http))
        if self._tokens is not None and self._tokens.problem:
            found.append(self._tokens.problem)
        return found + (self.tls.warnings() if self.tls else [])


def exposure(http: HttpSection) -> Sequence[str]:
    """Return what others on the network can do to a server that is bound so."""
    if is_loopback(http.host):
        return []
    if not http.asks_for_token:
        return [
            f"anybody who reaches http.host {http.host!r} may see and change everything (http.insecure): set "
            "http.tokens_file, or bind 127.0.0.1"
        ]
    if http.cert_file is None:
        return [
            f"tokens and pictures cross the network in clear text at http.host {http.host!r}: set http.cert_file and "
            "http.key_file; or bind 127.0.0.1 and let a TLS proxy on this machine serve the network"
        ]
    return []
