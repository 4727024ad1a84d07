"""Data assets of the workspace."""

from starlette.routing import Route

from tests.azure.routes.versioned import asset_routes
from tests.azure.standin import Cloud


def routes(cloud: Cloud) -> list[Route]:
    """Return them."""
    return asset_routes(cloud, "data")
