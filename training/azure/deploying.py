"""A deployment from beginning to end: the new one first, requests to it last, and only if it is healthy."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from edge.azureml.tags import FAMILY, SCHEMA
from training.azure import endpoints
from training.azure.deployments import Wish, remedy
from training.azure.endpoints import MLFLOW, SETTLED, Endpoint
from training.azure.operations import Told
from training.azure.session import Session
from training.azure.traffic import plan_traffic
from training.errors import AzureError, AzureUnavailableError, UsageError

RUNNABLE = "classification"
MLFLOW_MODEL = "mlflow_model"


class DeploymentFailedError(AzureError):
    """A deployment that did not come up; ``log`` is the end of its container's log, empty where there is none."""

    def __init__(self, text: str, log: str) -> None:
        super().__init__(text)
        self.log = log


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who hears of it: ``told`` of what is waited for, ``noted`` of remarks for a person."""

    told: Told
    noted: Callable[[str], None]


def deploy(session: Session, wish: Wish, traffic: str, auth: str | None, watcher: Watcher) -> Endpoint:
    """Deploy, share out the requests as ``traffic`` says, and return the endpoint as it is then.

    ``auth`` is what the endpoint must ask for, None for whatever it does. A deployment that fails leaves the requests
    as they were shared out.

    Raises:
        UsageError: the model and the wished server do not go together, no such traffic.
        DeploymentFailedError: it did not come up.
        AzureError: Azure refuses something else.
    """
    _check_model(session, wish, watcher.noted)
    found = endpoints.find(session, wish.endpoint)
    before = found.traffic if found else {}
    if found is not None:
        _check_endpoint(found, wish, auth)
        wish = _as_before(found, wish)
    _plan(found, wish, traffic)  # refused before anything is changed
    if found is None:
        endpoints.make(session, wish, watcher.told)
    elif before.get(wish.deployment):
        watcher.noted(
            f"{wish.deployment} answers {before[wish.deployment]} % of the requests and is updated in place; "
            "with another --deployment it could be tried first"
        )
    _put(session, wish, before, watcher)
    now = endpoints.look_up(session, wish.endpoint)  # it took minutes, and somebody may have moved requests meanwhile
    shares = _plan(now, wish, traffic)
    if shares is None or shares == now.traffic:
        return now
    endpoints.share_out(session, wish.endpoint, shares, watcher.told)
    return _as_shared(endpoints.look_up(session, wish.endpoint), shares)


def take_away(session: Session, name: str, deployment: str, told: Told) -> Endpoint:
    """Delete a deployment that answers no requests, and return the endpoint as it is then.

    Raises:
        UsageError: there is no such deployment, or requests go to it.
        AzureError: Azure refuses.
    """
    endpoint = endpoints.look_up(session, name)
    found = [one for one in endpoint.deployments if one.name.lower() == deployment.lower()]
    if not found:
        there = ", ".join(one.name for one in endpoint.deployments) or "none"
        raise UsageError(f"the endpoint {name} has no deployment {deployment}; there are {there}")
    if found[0].share:
        raise UsageError(
            f"{found[0].name} answers {found[0].share} % of the requests of {name}: give them to another one first "
            "(--traffic)"
        )
    endpoints.remove(session, name, found[0].name, told)
    return endpoints.look_up(session, name)


def _plan(found: Endpoint | None, wish: Wish, traffic: str) -> Mapping[str, int] | None:
    """Return each deployment's share, None for as it is. Raises UsageError, also for more requests to a failed one."""
    before = found.traffic if found else {}
    others = [one for one in found.deployments if one.name.lower() != wish.deployment] if found else []
    shares = plan_traffic(traffic, wish.deployment, before, {wish.deployment, *(one.name.lower() for one in others)})
    for one in others:
        name = one.name.lower()
        if one.state == "Failed" and (shares or {}).get(name, 0) > before.get(name, 0):
            raise UsageError(f"--traffic {traffic}: the deployment {one.name} has failed: deploy it again first")
    return shares


def _as_shared(now: Endpoint, shares: Mapping[str, int]) -> Endpoint:
    """Return the endpoint; Azure takes the last word of two. Raises AzureUnavailableError where it was not this one."""
    if now.traffic != shares:
        raise AzureUnavailableError(
            f"the endpoint {now.name} shares out its requests in another way ({_said(now.traffic)}): somebody changed "
            "that at the same time; run the command again"
        )
    return now


def _said(traffic: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {share} %" for name, share in traffic.items()) or "none"


def _as_before(found: Endpoint, wish: Wish) -> Wish:
    """Return the wish with the machines that the deployment has, where it names none: an update takes none away."""
    old = next((one for one in found.deployments if one.name.lower() == wish.deployment), None)
    if old is None:
        return wish
    kept = old.size if wish.mlflow == (old.server == MLFLOW) else None
    return replace(wish, instances=wish.instances or old.instances, instance_type=wish.instance_type or kept or None)


def _put(session: Session, wish: Wish, before: Mapping[str, int], watcher: Watcher) -> None:
    try:
        endpoints.put(session, wish, watcher.told)
    except AzureUnavailableError as error:
        raise AzureUnavailableError(
            f"{error}; the deployment may go on in Azure: see 'automl-train azure deploy --list {wish.endpoint}'"
        ) from error
    except KeyboardInterrupt:
        watcher.noted(f"the deployment goes on in Azure: see 'automl-train azure deploy --list {wish.endpoint}'")
        raise
    except AzureError as error:
        text = f"{_reason(error, wish)}; traffic stays as it was ({_said(before)})"
        raise DeploymentFailedError(text, _log(session, wish)) from error


def _reason(error: AzureError, wish: Wish) -> str:
    """Return what Azure says of a deployment that failed, and what to do about that where it is known."""
    said = str(error.__cause__ or "")
    hint = remedy(said)
    first = said.strip().partition("\n")[0].rstrip(". ")
    return f"deploying {wish.model} as {wish.deployment}: {first}; {hint}" if hint else str(error)


def _log(session: Session, wish: Wish) -> str:
    try:
        return endpoints.read_log(session, wish.endpoint, wish.deployment)
    except AzureError as error:
        return f"(the container's log cannot be read: {error})"


def _check_endpoint(found: Endpoint, wish: Wish, auth: str | None) -> None:
    kind = "kubernetes" if wish.kubernetes else "managed"
    if found.kind != kind:
        raise UsageError(f"the endpoint {found.name} is there already, as {found.kind}: name another --endpoint")
    if auth is not None and found.auth != auth:
        raise UsageError(f"the endpoint {found.name} asks for {found.auth}: leave --auth out, or name another endpoint")
    if found.state not in SETTLED:
        raise AzureUnavailableError(f"the endpoint {found.name} is being changed ({found.state}): try again later")


def _check_model(session: Session, wish: Wish, noted: Callable[[str], None]) -> None:
    """Refuse a model that the wished server cannot run. Raises AzureError where there is none."""
    with session.asking(f"looking up the model {wish.model}"):
        model = session.client.models.get(wish.model.name, version=wish.model.version)
    is_mlflow = str(model.type) == MLFLOW_MODEL
    if wish.mlflow and not is_mlflow:
        raise UsageError(f"{wish.model} is no MLflow model but {model.type}: pass --image, and no --mlflow")
    if wish.mlflow:
        return
    if is_mlflow:
        raise UsageError(
            f"{wish.model} is AutoML's own MLflow model, which holds no ONNX: pass --mlflow, or make a bundle of its "
            "job with 'automl-train azure fetch' and register that"
        )
    tags = model.tags or {}
    if tags.get(FAMILY, RUNNABLE) != RUNNABLE:
        raise UsageError(f"{wish.model} is of the family {tags[FAMILY]}, which our runtime does not run yet")
    if SCHEMA not in tags:
        noted(f"{wish.model} was not registered by 'automl-train azure register': it must be a bundle's folder")
