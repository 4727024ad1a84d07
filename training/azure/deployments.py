"""What a deployment is to be: our runtime as an endpoint's server, or AutoML's own MLflow model. Nothing is asked here.

Azure mounts a registered model's folder below :data:`MODELS` and starts the image. Our runtime needs no file of its own
beside: what it must know comes in environment variables (:func:`runtime_variables`).
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge.bundle import is_name
from training.errors import UsageError

if TYPE_CHECKING:
    from azure.ai.ml.entities import Environment, OnlineDeployment, OnlineEndpoint

MODELS = "/var/azureml-app/azureml-models"
"""Where Azure mounts models: ``<name>/<version>`` below it holds the folder that was registered."""
PORT = 8080
ROUTES: Mapping[str, str] = {"liveness_route": "/livez", "readiness_route": "/readyz", "scoring_route": "/score"}
ENVIRONMENT = "automl-edge"
RUNTIME_SIZE = "Standard_DS3_v2"
MLFLOW_SIZE = "Standard_DS4_v2"
"""Virtual machines without a GPU that Azure offers to endpoints; the MLflow server needs more memory (PyTorch)."""
RUNTIME_TIMEOUT_MS = 20_000
"""The runtime answers within twice its ``http.deadline_s``, which is 10 s."""
RUNTIME_CONCURRENCY = 32
"""Requests at once for an instance, which the runtime puts in a line; Azure's own default is one."""
MLFLOW_TIMEOUT_MS = 90_000
NAME = re.compile(r"[a-z](?:-?[a-z0-9])+")
LONGEST_NAME, SHORTEST_NAME, LONGEST_KUBERNETES = 32, 3, 62


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A registered model; its text is ``name:version``."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"

    @property
    def mount(self) -> str:
        """The folder in the container below which the registered folder lies."""
        return f"{MODELS}/{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class Wish:
    """A deployment as it was asked for. ``image`` None: AutoML's own MLflow model, whose server Azure makes.

    ``kubernetes`` is the compute of a cluster; None: machines that Azure manages. ``instance_type`` None: the usual
    one; ``instances`` None: one; of a deployment that is there: those that it has. ``variables`` are added to those
    that our runtime gets, or take their place.
    """

    endpoint: str
    deployment: str
    model: ModelVersion
    image: str | None
    kubernetes: str | None = None
    instance_type: str | None = None
    instances: int | None = None
    auth: str = "key"
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def mlflow(self) -> bool:
        """Whether AutoML's own model answers."""
        return self.image is None


def parse_model(text: str) -> ModelVersion:
    """Return the model of ``NAME:VERSION``. Raises UsageError."""
    name, _, version = text.partition(":")
    if not (is_name(name) and is_name(version)):
        raise UsageError(f"{text!r} is not NAME:VERSION of a registered model")
    return ModelVersion(name, version)


def check_wish(wish: Wish) -> None:
    """Refuse names that Azure refuses later. Raises UsageError."""
    for what, name in (("endpoint", wish.endpoint), ("deployment", wish.deployment)):
        check_name(what, name)
    if wish.kubernetes and len(wish.endpoint + wish.deployment) > LONGEST_KUBERNETES:
        raise UsageError(
            f"on Kubernetes the endpoint's and deployment's names have {LONGEST_KUBERNETES} letters at most"
        )
    if wish.mlflow and wish.variables:
        raise UsageError("--env is for our runtime; leave it or --mlflow out")


def check_name(what: str, name: str) -> None:
    """Refuse a name that Azure refuses; capitals too, for the SDK writes traffic in small letters."""
    if not SHORTEST_NAME <= len(name) <= LONGEST_NAME or not NAME.fullmatch(name):
        raise UsageError(
            f"{what} {name!r}: must be {SHORTEST_NAME} to {LONGEST_NAME} small letters, digits and single dashes, "
            "beginning with a letter"
        )


def runtime_variables(wish: Wish) -> dict[str, str]:
    """Return the environment that makes ``automl-edge run`` serve the mounted model without any file.

    No token is asked for: Azure's front end lets in only who has the endpoint's key or token, and nothing else reaches
    a managed container. The container's root may be read-only but for ``/tmp``.
    """
    return {
        "EDGE_REGISTRY__KIND": "bundle",
        "EDGE_REGISTRY__PATH": wish.model.mount,
        "EDGE_HTTP__HOST": "0.0.0.0",
        "EDGE_HTTP__PORT": str(PORT),
        "EDGE_HTTP__INSECURE": "true",
        "EDGE_MQTT__ENABLED": "false",
        "EDGE_MQTT__DEVICE": f"{wish.endpoint}-{wish.deployment}",
        "EDGE_STORAGE__PATH": "/tmp/automl-edge",  # noqa: S108 - the container's own, and nothing in it is to last
        "EDGE_LOG__FORMAT": "json",
        "EDGE_LOG__RESULTS": "false",
        **wish.variables,
    }


def environment_of(image: str) -> "Environment":
    """Return the environment that is this image and no more: nothing is built, the same image has the same version."""
    from azure.ai.ml.entities import Environment  # noqa: PLC0415 - over a second, 100 MB

    routes = {route: {"port": PORT, "path": path} for route, path in ROUTES.items()}
    version = hashlib.sha256(f"{image} {sorted(routes.items())}".encode()).hexdigest()[:12]
    return Environment(name=ENVIRONMENT, version=version, image=image, inference_config=routes)


def endpoint_of(wish: Wish) -> "OnlineEndpoint":
    """Return the endpoint as it is made where there is none."""
    from azure.ai.ml.entities import KubernetesOnlineEndpoint, ManagedOnlineEndpoint  # noqa: PLC0415 - as above

    if wish.kubernetes:
        return KubernetesOnlineEndpoint(name=wish.endpoint, compute=wish.kubernetes, auth_mode=wish.auth)
    return ManagedOnlineEndpoint(name=wish.endpoint, auth_mode=wish.auth)


def deployment_of(wish: Wish) -> "OnlineDeployment":
    """Return the deployment."""
    from azure.ai.ml.entities import KubernetesOnlineDeployment, ManagedOnlineDeployment  # noqa: PLC0415 - as above

    options = {
        "name": wish.deployment,
        "endpoint_name": wish.endpoint,
        "model": f"azureml:{wish.model}",
        "instance_count": wish.instances or 1,
        **_server(wish),
    }
    if wish.kubernetes:
        return KubernetesOnlineDeployment(instance_type=wish.instance_type, **options)
    usual = MLFLOW_SIZE if wish.mlflow else RUNTIME_SIZE
    return ManagedOnlineDeployment(instance_type=wish.instance_type or usual, **options)


def _server(wish: Wish) -> dict[str, Any]:
    """Return what answers, how long it may take, and how its health is asked."""
    from azure.ai.ml.entities import OnlineRequestSettings, ProbeSettings  # noqa: PLC0415 - as above

    if wish.image is None:
        # its packages may be installed when the container starts: half an hour, but ready as soon as it is
        patient = ProbeSettings(initial_delay=10, period=10, timeout=10, failure_threshold=180, success_threshold=1)
        return {
            "request_settings": OnlineRequestSettings(request_timeout_ms=MLFLOW_TIMEOUT_MS),
            "liveness_probe": patient,
            "readiness_probe": patient,
        }
    return {
        "environment": environment_of(wish.image),
        "environment_variables": runtime_variables(wish),
        "request_settings": OnlineRequestSettings(
            request_timeout_ms=RUNTIME_TIMEOUT_MS, max_concurrent_requests_per_instance=RUNTIME_CONCURRENCY
        ),
        "liveness_probe": ProbeSettings(
            initial_delay=10, period=10, timeout=5, failure_threshold=12, success_threshold=1
        ),
        "readiness_probe": ProbeSettings(
            initial_delay=5, period=5, timeout=5, failure_threshold=60, success_threshold=1
        ),
    }


REMEDIES: Mapping[str, str] = {
    "OutOfQuota": "ask for more cores of this size at https://ml.azure.com/quota, delete deployments that are not "
    "needed, or pass another --instance-type",
    "ImageBuildFailure": "see the build log that Azure names",
    "ImagePullLoopBackOff": "let the cluster read the image's container registry",
    "ACRSecretError": "roles take a while to hold: try again; else let the endpoint's identity read the registry "
    "(AcrPull)",
    "ResourceNotReady": "the container ends or does not become ready: its log says why",
    "DeploymentCrashLoopBackOff": "the container ends: its log says why; it may need more memory",
    "KubernetesCrashLoopBackOff": "the container ends: its log says why; it may need more memory",
    "PodOutOfMemory": "pass an --instance-type with more memory",
    "PodUnschedulable": "the cluster has no room: free some, or pass a smaller --instance-type",
    "KubernetesUnaccessible": "the cluster cannot be reached: see its state in the workspace",
    "ResourceNotFound": "is the image there, and may the endpoint's identity read its container registry (AcrPull)?",
    "BadArgument": "is the image there, may the endpoint's identity read it (AcrPull) and the model's storage (Storage "
    "Blob Data Reader), and does the container start?",
    "OperationCanceled": "another change came in between: try again",
    "WorkspaceManagedNetworkNotReady": "provision the workspace's managed network first",
    "InternalServerError": "a fault of Azure's: try again, or ask its support",
}
"""What to do about the codes that Azure gives for a deployment that fails."""


def remedy(said: str) -> str | None:
    """Return what to do about an error's text; None where no code in it is known. Quota is looked for first."""
    if re.search(r"\bquota\b", said, re.IGNORECASE):
        return REMEDIES["OutOfQuota"]
    return next((text for code, text in REMEDIES.items() if re.search(rf"\b{code}\b", said)), None)
