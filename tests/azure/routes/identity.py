"""Entra ID and the managed-identity endpoint: tokens for whoever asks."""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.azure.arm import TENANT
from tests.azure.standin import Cloud, answering

MSI_HEADER = "the-secret-of-this-machine"
LIFETIME_S = 3600


def token(audience: str, **more: str) -> str:
    """Return a token as Azurite wants it, with ``more`` claims; nobody checks its signature."""
    now = int(time.time())
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{TENANT}/",
        "nbf": now - 60,
        "iat": now - 60,
        "exp": now + LIFETIME_S,
        "appid": "the-application",
        "oid": "the-object",
        "tid": TENANT,
        **more,
    }
    parts = ({"alg": "RS256", "typ": "JWT"}, claims)
    return ".".join([*(_b64(json.dumps(part).encode()) for part in parts), _b64(b"signature")])


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _audience(scope: str) -> str:
    return scope.removesuffix("/.default").rstrip("/")


def routes(cloud: Cloud) -> list[Route]:
    """Return Entra ID's discovery and token endpoints, and that of the machine's own identity.

    The forms of applications that signed in are in ``notes["sign-ins"]``; ``notes["refuse_sign_in"]`` is a code
    (``AADSTS…``) that all of them get instead of a token.
    """

    def discovery(request: Request) -> Mapping[str, Any]:
        authority = f"{cloud.url}/{request.path_params['tenant']}"
        return {
            "token_endpoint": f"{authority}/oauth2/v2.0/token",
            "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{authority}/oauth2/v2.0/devicecode",
            "issuer": f"{authority}/v2.0",
        }

    async def of_application(request: Request) -> Response:
        form = await request.form()
        cloud.notes.setdefault("sign-ins", []).append(dict(form))
        if refusal := cloud.notes.get("refuse_sign_in"):
            told = {"error": "invalid_client", "error_description": f"{refusal}: asked for by the test."}
            return JSONResponse(told, status_code=401)
        scope = next(part for part in str(form["scope"]).split() if part.endswith("/.default"))
        return JSONResponse({"token_type": "Bearer", "expires_in": LIFETIME_S, "access_token": token(_audience(scope))})

    def of_machine(request: Request) -> Mapping[str, Any] | Response:
        if request.headers.get("x-identity-header") != MSI_HEADER:
            return JSONResponse({"error": "no such machine"}, status_code=401)
        resource = request.query_params["resource"]
        expires_on = int(time.time()) + LIFETIME_S
        return {"access_token": token(_audience(resource)), "expires_on": str(expires_on), "token_type": "Bearer"}

    return [
        Route("/{tenant}/v2.0/.well-known/openid-configuration", answering(discovery)),
        Route("/{tenant}/oauth2/v2.0/token", of_application, methods=["POST"]),
        Route("/msi/token", answering(of_machine)),
    ]
