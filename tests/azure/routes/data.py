"""Data assets of the workspace."""

from starlette.routing import Route

from tests.azure.arm import ArmError, Body
from tests.azure.routes.versioned import asset_routes
from tests.azure.standin import Cloud

KINDS = ("uri_file", "uri_folder", "mltable")


def routes(cloud: Cloud) -> list[Route]:
    """Return them. As in the service, where a version lies and of which type an asset is never changes."""

    def accepted(path: str, properties: Body) -> Body:
        versions = path.rsplit("/", 1)[0]
        kind = properties.get("dataType")
        if kind not in KINDS or not properties.get("dataUri"):
            raise ArmError(400, "ValidationError", "dataType and dataUri are not those of a data asset")
        if any(body["properties"]["dataType"] != kind for body in cloud.resources.below(versions)):
            raise ArmError(400, "UserError", "Data type of a data asset cannot be changed")
        if cloud.resources.has(path):
            before = cloud.resources.get(path)["properties"]["dataUri"]
            if before != properties["dataUri"]:
                raise ArmError(409, "UserError", "A data version with this name and version already exists.")
        return properties

    return asset_routes(cloud, "data", accepted=accepted)
