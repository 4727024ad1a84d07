"""Ends with 0 where the daemon of this container is ready, else with 1 and the reasons. Standard library only.

Asks ``/readyz``, which needs no token, on the port that ``EDGE_HTTP__PORT`` names; over TLS where plain HTTP is not
understood (its certificate is not checked: this is the same machine).
"""

import http.client
import os
import ssl
import sys

TIMEOUT_S = 2.0


def ask(port: int, *, tls: bool) -> tuple[int, bytes]:
    """Return status and body. Raises OSError, HTTPException."""
    if tls:
        context = ssl._create_unverified_context()  # noqa: S323, SLF001 - loopback, and nothing secret is sent
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=TIMEOUT_S, context=context
        )
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read(2000)
    finally:
        connection.close()


def main() -> int:
    """Return the exit code."""
    port = int(os.environ.get("EDGE_HTTP__PORT", "8080"))  # noqa: TID251 - a program of its own
    try:
        try:
            status, body = ask(port, tls=False)
        except (http.client.HTTPException, ConnectionResetError):
            status, body = ask(port, tls=True)
    except (OSError, http.client.HTTPException) as error:
        print(f"no answer on port {port}: {error}")  # noqa: T201 - what `docker inspect` shows
        return 1
    print(body.decode(errors="replace"))  # noqa: T201 - as above
    return 0 if status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main())
