"""What the stand-in answers, a module for each kind of resource."""

from starlette.routing import Route

from tests.azure.routes import (
    components,
    computes,
    data,
    endpoints,
    history,
    identity,
    jobs,
    models,
    pipelines,
    registries,
    storage,
    workspace,
)
from tests.azure.standin import Cloud


def all_routes(cloud: Cloud) -> list[Route]:
    """Return every route there is."""
    modules = (
        identity,
        workspace,
        models,
        data,
        computes,
        jobs,
        history,
        endpoints,
        components,
        pipelines,
        registries,
        storage,
    )
    return [route for module in modules for route in module.routes(cloud)]
