"""Routes that skip the framework's parsing, and answers that skip its serialisation."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, cast

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute

RawEndpoint = Callable[[Request], Awaitable[Response]]


class RawRoute(APIRoute):
    """A route whose endpoint takes the request itself and returns the response itself.

    Its models and parameters serve the OpenAPI document only; nothing is parsed or validated on the way.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the endpoint as it is."""
        return cast(Callable[[Request], Coroutine[Any, Any, Response]], self.endpoint)


def json_response(body: Mapping[str, Any] | list[Any], *, status: int = 200) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(body), status_code=status, media_type="application/json")
