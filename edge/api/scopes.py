"""Which scope a route wants: told by method and path, so that a route that nobody thought of is guarded too."""

from collections.abc import Mapping

from edge.tokens import Scope

OPEN_PATHS = frozenset({"/", "/livez", "/readyz", "/docs", "/openapi.json"})
"""What needs no token: probes, and pages that hold nothing but the product's own contract."""
OPEN_PREFIX = "/docs-assets/"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, 9.2.1)."""

BY_PATH: Mapping[str, Scope] = {"/v1/predict": "predict", "/score": "predict"}
"""Paths that are about pictures, whatever the method."""


def is_open(path: str) -> bool:
    """Tell whether a path is answered without a token and without a limit of rate."""
    return path in OPEN_PATHS or path.startswith(OPEN_PREFIX)


def scope_of(method: str, path: str) -> Scope:
    """Return what a request wants: ``predict`` for pictures, else ``read`` where it looks and ``operate`` elsewhere."""
    return BY_PATH.get(path) or ("read" if method in SAFE_METHODS else "operate")
