"""A network that leads nowhere, and nobody to ask: the SDK makes a request, and it is held. Imported late."""

import base64
import json
from typing import Any, NoReturn

from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import HttpTransport

NEVER = 4102444800
"""When the token of nobody ends: 2100."""


class HeldError(Exception):
    """A request that was about to be sent."""

    def __init__(self, request: Any) -> None:
        super().__init__(f"{request.method} {request.url}")
        self.request = request


class Nowhere(HttpTransport[Any, Any]):
    """Sends nothing."""

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, request: Any, **_: Any) -> NoReturn:
        """Raise HeldError."""
        raise HeldError(request)


class Nobody:
    """Signs in as nobody: a token of the right form, which no service would take."""

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """Return it; the SDK looks at whom it is for."""
        claims = {"aud": scopes[0].removesuffix("/.default"), "exp": NEVER, "tid": "nobody"}
        parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims)]
        return AccessToken(".".join([*parts, "AA"]), NEVER)
