"""``GET /``: one self-contained page. It holds no data: its script asks the other routes, with the token where set."""

import base64
import hashlib
import html
import re
from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

PAGE = "page.html"


def page_routes(*, device: str) -> APIRouter:
    """Return the route of the page."""
    router = APIRouter()
    text = (files(__package__) / PAGE).read_text(encoding="utf-8").replace("{{device}}", html.escape(device))
    headers = {
        "Content-Security-Policy": _policy(text),
        "Cache-Control": "no-cache",
        "X-Content-Type-Options": "nosniff",
    }

    @router.get("/", include_in_schema=False, response_class=HTMLResponse)
    async def page() -> HTMLResponse:
        return HTMLResponse(text, headers=headers)

    return router


def _policy(text: str) -> str:
    """Return a Content-Security-Policy that lets run nothing but the page's own script and style (CSP 3, 6.7)."""
    return (
        "default-src 'none'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; "
        f"script-src {_hashed(text, 'script')}; style-src {_hashed(text, 'style')}"
    )


def _hashed(text: str, tag: str) -> str:
    bodies = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in bodies)
    return " ".join(f"'sha256-{digest}'" for digest in digests)
