"""Plain HTTPS requests through azure-core's transport, whose connections are kept and shared by threads."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from time import sleep
from types import TracebackType
from typing import TYPE_CHECKING, Any

from training.azure.scoring import Reply, pause_s
from training.errors import AzureUnavailableError

if TYPE_CHECKING:
    from azure.core.pipeline.transport import HttpTransport

MOST_TRIES = 5
CONNECT_S, ANSWER_S = 10.0, 200.0
"""Longest wait for a connection, and for an answer: Azure gives a deployment 180 s at most."""


class Poster:
    """Posts to one URL. ``ca_file`` takes the place of the authorities that this machine trusts.

    ``asleep`` waits, in seconds, before a request is made again.
    """

    def __init__(self, url: str, *, ca_file: Path | None = None, asleep: Callable[[float], object] = sleep) -> None:
        from azure.core.pipeline.transport import RequestsTransport  # noqa: PLC0415 - `invoke -h` starts without it

        options: dict[str, Any] = {"connection_verify": str(ca_file)} if ca_file else {}
        self.url = url
        self._asleep = asleep
        self._transport: HttpTransport[Any, Any] = RequestsTransport(
            connection_timeout=CONNECT_S, read_timeout=ANSWER_S, **options
        )

    def __enter__(self) -> "Poster":
        self._transport.open()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._transport.close()

    def post(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Return the answer; where whoever answers is busy, ask again as it says. Raises AzureUnavailableError."""
        for tries in range(1, MOST_TRIES):
            reply = self._once(body, headers)
            pause = pause_s(reply, tries)
            if pause is None:
                return reply
            self._asleep(pause)
        return self._once(body, headers)

    def _once(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        from azure.core.exceptions import AzureError  # noqa: PLC0415 - as above
        from azure.core.rest import HttpRequest  # noqa: PLC0415 - as above

        try:
            request = HttpRequest("POST", self.url, content=body, headers=dict(headers))
            response: Any = self._transport.send(request)
            response.read()
            found = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status_code, found, response.text())
        except AzureError as error:
            raise AzureUnavailableError(f"{self.url} does not answer: {_why(error)}") from error


def _why(error: Exception) -> str:
    """Return the innermost reason that a person may read."""
    text = " ".join(str(error).split())
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return "its certificate is not trusted; name its authority (--ca, or REQUESTS_CA_BUNDLE)"
    return re.sub(r".*Failed to establish a new connection: |^HTTPS?Connection\([^)]*\): ", "", text)
