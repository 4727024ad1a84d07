"""``GET /v1/results`` and its live stream."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from edge.api import schemas
from edge.api.access import still_granted
from edge.api.feed import Feed
from edge.api.openapi import STREAM_CONTENT, problems
from edge.api.routing import RawRoute, json_response
from edge.api.stream import EventStream
from edge.results import result_json


def result_routes(*, feed: Feed) -> APIRouter:
    """Return the routes that show delivered results."""
    router = APIRouter(tags=["results"])
    limits = Query(ge=1, le=feed.keep, description="how many at most")

    @router.get("/v1/results", response_model=schemas.Results, responses=problems(422), summary="The last results")
    async def results(limit: Annotated[int, limits] = min(20, feed.keep)) -> Response:
        """Return the last delivered results of all sources, newest first."""
        return json_response({"results": [result_json(result) for result in feed.latest(limit)]})

    async def stream(request: Request) -> EventStream:
        """Send an event `result` for each delivered result, and `dropped` with a count where this client was too slow.

        A client that comes back with `Last-Event-ID` first gets what is still kept of what it missed.
        """
        watcher = feed.watch(after=request.headers.get("last-event-id"))
        return EventStream(feed, watcher, allowed=partial(still_granted, request.scope))

    router.add_api_route(
        "/v1/results/stream",
        stream,
        methods=["GET"],
        response_model=None,
        response_class=Response,
        responses={200: {"description": "Events", "content": STREAM_CONTENT}, **problems(503)},
        summary="Results as they come (server-sent events)",
        route_class_override=RawRoute,
    )
    return router
