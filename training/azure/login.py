"""Which identity works, as whom, for which workspace, and what it may not do. Nothing is changed, no token shown."""

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from edge.azureml.faults import Fault, explain
from edge.azureml.identity import CHAIN, Kind, make_credential
from edge.azureml.place import Workspace
from edge.errors import ConfigError
from training.azure.rights import LIST_SECRETS, READ_BLOBS, WRITE_BLOBS, Right, missing_rights
from training.azure.session import Session
from training.errors import AzureError, UsageError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.storage.blob import ContainerClient

LIMIT_S = 6.0
"""How long one identity, or one answer of Azure, is waited for."""
ARTIFACTS = "workspaceartifactstore"
PERMISSIONS_VERSION = "2022-04-01"


@dataclass(frozen=True, slots=True)
class Person:
    """Who a token speaks for; what the token does not say is None."""

    object_id: str | None
    application_id: str | None
    name: str | None
    tenant_id: str | None

    def __str__(self) -> str:
        return self.name or (f"application {self.application_id}" if self.application_id else f"{self.object_id}")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of one way to sign in: ``person`` where it works, else ``reason``."""

    credential: Kind
    took_s: float
    person: Person | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Store:
    """A datastore: how it says that it is opened, and why this identity cannot read or write its files by itself."""

    name: str
    opened_by: str
    not_read: Fault | None = None
    not_written: Fault | None = None

    @property
    def faults(self) -> list[Fault]:
        """What went wrong, each once."""
        found = [fault for fault in (self.not_read, self.not_written) if fault]
        return found[:1] if len({fault.rule for fault in found}) == 1 else found

    @property
    def needs_identity(self) -> bool:
        """Whether there is no other way in."""
        return self.opened_by == "identity"


@dataclass(slots=True)
class Login:
    """What was found out; :attr:`problems` are what kept the rest from being found out."""

    credential: Kind
    place: Workspace
    attempts: list[Attempt] = field(default_factory=list)
    person: Person | None = None
    location: str | None = None
    stores: list[Store] = field(default_factory=list)
    missing: list[Right] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        """Whether every command can do its work."""
        return self.person is not None and not self.missing and not self.problems

    @property
    def used(self) -> Attempt | None:
        """The way in that was taken: the first that works as the same person."""
        return next((a for a in self.attempts if a.person and a.person == self.person), None)


def person_of(token: str) -> Person:
    """Return who a token speaks for; it is not verified, that is for Azure to do."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError):
        claims = {}
    claims = claims if isinstance(claims, dict) else {}
    name = next((claims[key] for key in ("upn", "unique_name", "preferred_username") if claims.get(key)), None)
    return Person(claims.get("oid"), claims.get("appid") or claims.get("azp"), name, claims.get("tid"))


def check_login(session: Session, *, limit_s: float = LIMIT_S) -> Login:
    """Sign in, look at the workspace, and try what the commands will want to do. Raises UsageError, ConfigError."""
    place = session.place
    if not isinstance(place, Workspace):
        raise UsageError("login-check looks at a workspace; pass --workspace instead of --azure-registry")
    with closing(replace(session, timeout_s=limit_s, retries=1)) as patient:
        return _check(patient, place, limit_s)


def _check(session: Session, place: Workspace, limit_s: float) -> Login:
    login = Login(session.identity.kind, place)
    kinds = CHAIN if session.identity.kind == "default" else (session.identity.kind,)
    with ThreadPoolExecutor(len(kinds)) as asked:
        login.attempts = list(asked.map(lambda kind: _attempt(session, kind, limit_s), kinds))
    if not any(attempt.person for attempt in login.attempts):
        login.problems.append(_nobody(login.attempts))
        return login
    with _told(login), session.asking("signing in"):
        login.person = person_of(session.connection.credential.get_token(session.cloud.management_scope).token)
    if login.person:
        with _told(login):
            _look(session, login)
    return login


def _nobody(attempts: list[Attempt]) -> str:
    if len(attempts) == 1:
        return f"signing in: {attempts[0].reason}"
    return "signing in: none of these works; set one up, then name it with --credential"


@contextmanager
def _told(login: Login) -> Iterator[None]:
    """Write down what went wrong, and go on."""
    try:
        yield
    except AzureError as error:
        login.problems.append(str(error))


def _attempt(session: Session, kind: Kind, limit_s: float) -> Attempt:
    from azure.core.exceptions import AzureError as SdkError  # noqa: PLC0415 - the SDK is loaded when it is used

    begun = time.monotonic()
    try:
        with closing(make_credential(replace(session.identity, kind=kind), session.cloud, limit_s=limit_s)) as asked:
            person = person_of(asked.get_token(session.cloud.management_scope).token)
    except (SdkError, ConfigError) as error:
        reason = _reason(error, kind)
        return Attempt(kind, time.monotonic() - begun, reason=reason)
    return Attempt(kind, time.monotonic() - begun, person)


def _reason(error: Exception, kind: Kind) -> str:
    """Return why a way in does not work, in a few words: what is only not there needs no remedy."""
    if "not fully configured" in str(error):
        return "not set up here"
    fault = explain(error, kind)
    if fault is None or fault.rule == "no identity":
        return str(error).strip().splitlines()[0]
    return fault.text.removeprefix(f"{kind}: ")


def _look(session: Session, login: Login) -> None:
    with session.asking("looking at the workspace"):
        login.location = str(session.client.workspaces.get(login.place.name).location)
    with _told(login), session.asking("asking which rights there are"):
        login.missing.extend(missing_rights(_permissions(session, login.place)))
    names = [ARTIFACTS]
    with _told(login), session.asking("looking for the default datastore"):
        names.insert(0, str(session.client.datastores.get_default().name))
    for name in names:
        with _told(login), session.asking(f"opening the datastore {name}"):
            login.stores.append(_store(session, name))
    needed = [store for store in login.stores if store.needs_identity or LIST_SECRETS in login.missing]
    login.missing.extend(_missing_at(needed))
    for store in needed:
        login.problems.extend(fault.text for fault in store.faults if fault.kind != "denied" or not _by_role(fault))
    for store in (store for store in login.stores if store not in needed):
        with _told(login), session.asking(f"opening the datastore {store.name} by {store.opened_by}"):
            _open(session, store.name)


def _missing_at(needed: list[Store]) -> Iterator[Right]:
    """Yield the rights to files that are missing; where a key or SAS opens the door nobody needs them."""
    if any(store.not_read and _by_role(store.not_read) for store in needed):
        yield READ_BLOBS
    if any(store.not_written and _by_role(store.not_written) for store in needed):
        yield WRITE_BLOBS


def _by_role(fault: Fault) -> bool:
    """Tell what a role mends from what the network or the account's settings forbid."""
    return fault.rule in ("AuthorizationPermissionMismatch", "403")


def _open(session: Session, name: str) -> None:
    """Open a datastore as the commands do, with its own key or SAS."""
    from edge.azureml.containers import open_datastore  # noqa: PLC0415 - the SDK is loaded when it is used

    with open_datastore(session.connection, name, timeout_s=session.timeout_s, retries=0) as container:
        container.files(".login-check")


def _permissions(session: Session, place: Workspace) -> Iterator[Mapping[str, Any]]:
    """Yield what ARM says about the caller's role assignments at the workspace and above; the SDK has no such call."""
    from azure.core import PipelineClient  # noqa: PLC0415 - the SDK is loaded when it is used
    from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy  # noqa: PLC0415 - the same
    from azure.core.rest import HttpRequest  # noqa: PLC0415 - the same

    scope = session.cloud.management_scope
    manager = scope.removesuffix("/.default")
    policies = [RetryPolicy(retry_total=1), BearerTokenCredentialPolicy(session.connection.credential, scope)]
    group = f"/subscriptions/{place.subscription_id}/resourceGroups/{place.resource_group}"
    room = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/{place.name}"
    url = f"{manager}{room}/providers/Microsoft.Authorization/permissions?api-version={PERMISSIONS_VERSION}"
    waits: dict[str, Any] = {"connection_timeout": session.timeout_s, "read_timeout": session.timeout_s}
    client: Any = PipelineClient(manager, policies=policies, **waits)
    with client:
        while url:
            response = client.send_request(HttpRequest("GET", url))
            response.raise_for_status()
            page = response.json()
            yield from page.get("value") or ()
            url = page.get("nextLink") or ""


def _store(session: Session, name: str) -> Store:
    """Find out how a datastore is opened, and try its blobs with the identity alone."""
    store: Any = session.client.datastores.get(name)
    inside = getattr(store, "container_name", None) or getattr(store, "filesystem", None)
    if inside is None:
        raise AzureError(f"datastore {name}: of the type {store.type}, in which no blobs are kept")
    kind = str(getattr(store.credentials, "type", "none")).lower()
    opened_by = "key" if "key" in kind else "SAS" if "sas" in kind else "identity"
    with _container(store, inside, session.connection.credential, session.timeout_s) as container:
        read, written = f"reading the files of {name}", f"writing files of {name}"
        return Store(name, opened_by, _refused(container, _read, read), _refused(container, _write, written))


def _container(store: Any, name: str, credential: "TokenCredential", timeout_s: float) -> "ContainerClient":
    from azure.storage.blob import ContainerClient  # noqa: PLC0415 - the SDK is loaded when it is used

    waits: dict[str, Any] = {"connection_timeout": timeout_s, "read_timeout": timeout_s, "retry_total": 0}
    url = f"{store.protocol}://{store.account_name}.blob.{store.endpoint}"
    return ContainerClient(url, name, credential=credential, **waits)


def _refused(container: "ContainerClient", act: Callable[["ContainerClient"], None], what: str) -> Fault | None:
    """Return why something cannot be done with a container; None where it can."""
    from azure.core.exceptions import AzureError as SdkError  # noqa: PLC0415 - the SDK is loaded when it is used

    try:
        act(container)
    except SdkError as error:
        return explain(error, what)
    return None


def _read(container: "ContainerClient") -> None:
    next(iter(container.list_blobs(results_per_page=1)), None)


def _write(container: "ContainerClient") -> None:
    """Ask to change a file that is not there: whoever may write hears that, and nothing changes."""
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - the SDK is loaded when it is used

    with suppress(ResourceNotFoundError):
        container.get_blob_client(f".login-check/{uuid4()}").set_blob_metadata({})
