"""The quick way to /v1/predict and the framework's way are one contract."""

import asyncio
from collections.abc import Callable

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from edge.api.direct import Direct
from edge.errors import OverloadedError
from tests.edge.api.conftest import Ask


def answers(error: Exception | None) -> ASGIApp:
    async def endpoint(_: object) -> PlainTextResponse:
        if error is not None:
            raise error
        return PlainTextResponse("direct")

    return Direct(PlainTextResponse("framework"), path="/quick", endpoint=endpoint)


@pytest.fixture
def post() -> Callable[..., httpx.Response]:
    async def ask(app: ASGIApp, method: str, path: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://edge") as client:
            return await client.request(method, path)

    return lambda *arguments: asyncio.run(ask(*arguments))


@pytest.mark.parametrize(
    ("method", "path", "text"),
    [("POST", "/quick", "direct"), ("GET", "/quick", "framework"), ("POST", "/other", "framework")],
)
def test_only_the_one_route_goes_past_the_framework(
    post: Callable[..., httpx.Response], method: str, path: str, text: str
) -> None:
    """Another method or path is the framework's."""
    assert post(answers(None), method, path).text == text


def test_errors_are_problems_here_too(post: Callable[..., httpx.Response]) -> None:
    """Our errors have their status and headers, a fault nobody foresaw is a 500 without its text."""
    overloaded = post(answers(OverloadedError("full", retry_after_s=3)), "POST", "/quick")
    assert (overloaded.status_code, overloaded.headers["retry-after"]) == (503, "3")
    fault = post(answers(ZeroDivisionError("secret")), "POST", "/quick")
    assert (fault.status_code, fault.headers["content-type"]) == (500, "application/problem+json")
    assert "secret" not in fault.text


def test_the_document_still_shows_the_route(ask: Ask) -> None:
    """What goes past the framework is documented by it."""
    assert "post" in ask("GET", "/openapi.json").json()["paths"]["/v1/predict"]
