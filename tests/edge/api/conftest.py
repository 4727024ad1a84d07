"""The HTTP face over an echo: in process for tables of requests, over a socket where the wire matters."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from starlette.types import ASGIApp

from edge.api.access import Access
from edge.api.app import create_app
from edge.api.feed import Feed
from edge.api.server import HttpServer
from edge.tokens import KnownTokens
from tests.edge.api.fakes import Echo, FakeControl, Reasoner

Ask = Callable[..., httpx.Response]
Serve = Callable[..., httpx.Client]


@pytest.fixture
def echo() -> Iterator[Echo]:
    """Answers each picture with its own bytes."""
    submit = Echo()
    yield submit
    submit.close()


@pytest.fixture
def control() -> FakeControl:
    """Two versions of one model."""
    return FakeControl()


@pytest.fixture
def feed() -> Feed:
    """No result yet."""
    return Feed(keep=10, queue=4, max_watchers=2)


@pytest.fixture
def make_app(echo: Echo, control: FakeControl, feed: Feed) -> Callable[..., ASGIApp]:
    """Makes an application over the echo; arguments replace its parts, and ``token`` may do everything."""

    def make(*, token: str | None = None, **parts: Any) -> ASGIApp:
        if token is not None:
            parts["access"] = Access(KnownTokens(token))
        defaults: dict[str, Any] = {"submit": echo, "control": control, "feed": feed, "metrics": lambda: b"# metrics\n"}
        defaults["explainer"] = Reasoner()
        return create_app(**{**defaults, **parts})

    return make


@pytest.fixture
def ask(make_app: Callable[..., ASGIApp]) -> Ask:
    """Asks an application in this process: ``ask("POST", "/v1/predict", content=…, parts={"token": …})``."""

    def ask_once(method: str, path: str, *, parts: dict[str, Any] | None = None, **request: Any) -> httpx.Response:
        async def go() -> httpx.Response:
            transport = httpx.ASGITransport(make_app(**(parts or {})), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
                return await client.request(method, path, **request)

        return asyncio.run(go())

    return ask_once


@pytest.fixture
def serve(make_app: Callable[..., ASGIApp], feed: Feed) -> Iterator[Serve]:
    """Serves an application on a free port of loopback and gives a client for it."""
    with ExitStack() as stack:

        def start(**parts: Any) -> httpx.Client:
            server = HttpServer(make_app(**parts), feed=feed, host="127.0.0.1", port=0)
            stack.enter_context(server)
            return stack.enter_context(httpx.Client(base_url=server.url, timeout=20))

        yield start
