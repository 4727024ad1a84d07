"""Compute clusters: made as wished, changed where they differ, and what is there."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from training.azure.session import Session, lacks_workspace
from training.errors import AzureError, UsageError

if TYPE_CHECKING:
    from azure.ai.ml.entities import AmlCompute, IdentityConfiguration
    from azure.core.polling import LROPoller

Outcome = Literal["made", "changed", "as wished"]
NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9-]{0,30}[a-zA-Z0-9]")
KNOWN = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]*")
"""What a compute that is there may be called, of whatever kind."""
CLUSTER = "amlcompute"
LOOK_S = 1.0
"""How often somebody hears how far a cluster is; the SDK asks Azure at its own pace."""
LIMIT_S = 1800.0
"""How long a cluster may take; usually it takes seconds, since the start of its nodes is not waited for."""
GPU_FAMILIES = re.compile(r"(standard_|basic_)?n[cdgpv]", re.IGNORECASE)
NOT_NVIDIA = re.compile(r"mi\d+x|v620|nv\d+a?s_v4", re.IGNORECASE)
"""AMD's: MI300X and MI25 (NVv4), Radeon PRO V620."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A cluster as it shall be: ``low_nodes`` to ``high_nodes`` nodes of a ``size``, given back after ``idle_s`` s.

    With ``identity`` it has one, so that what runs there can sign in; without, it keeps what it has.

    Raises:
        UsageError: the name or the numbers cannot be.
    """

    name: str
    size: str
    low_nodes: int = 0
    high_nodes: int = 4
    idle_s: int = 1200
    low_priority: bool = False
    identity: bool = False

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise UsageError(
                f"cluster {self.name!r}: 2 to 32 letters, digits and dashes, a letter first, no dash at the end"
            )
        if self.high_nodes < 1 or self.high_nodes < self.low_nodes:
            raise UsageError(
                f"cluster {self.name}: --max {self.high_nodes} must be at least 1 and --min {self.low_nodes}"
            )

    @property
    def tier(self) -> str:
        """The priority as the SDK calls it."""
        return "low_priority" if self.low_priority else "dedicated"


@dataclass(frozen=True, slots=True)
class Compute:
    """What a workspace says of a compute; what its kind does not have is None."""

    name: str
    kind: str
    state: str
    size: str | None = None
    low_nodes: int | None = None
    high_nodes: int | None = None
    idle_s: int | None = None
    low_priority: bool | None = None
    error: str | None = None
    identity: str | None = None
    """What kind of identity it has, as ``system_assigned``."""
    object_id: str | None = None
    """Who the identity is that Azure made for it: roles are given to this."""


@dataclass(frozen=True, slots=True)
class Ensured:
    """What came of a wish; ``changes`` are in words."""

    outcome: Outcome
    compute: Compute
    changes: tuple[str, ...] = ()


def gpu_warning(size: str) -> str | None:
    """Return why AutoML's image jobs cannot train on a size of machine; None where its name tells of none."""
    if NOT_NVIDIA.search(size):
        return f"{size} has no NVIDIA GPU, and AutoML for Images trains with CUDA; take an NC or ND size"
    if not GPU_FAMILIES.match(size):
        return (
            f"{size} has no GPU, and AutoML for Images trains on nothing else; take an NC or ND size "
            "(for the steps of a pipeline around the training it is right)"
        )
    return None


def differences(wish: Wish, there: Compute) -> tuple[str, ...]:
    """Return in words what can be changed and differs. Raises UsageError for what never changes in Azure."""
    fixed = []
    if (there.size or "").lower() != wish.size.lower():
        fixed.append(f"--size {there.size}, not {wish.size}")
    if bool(there.low_priority) != wish.low_priority:
        fixed.append(f"--priority {'low' if there.low_priority else 'dedicated'}")
    if fixed:
        raise UsageError(
            f"cluster {wish.name} is there with {' and '.join(fixed)}, which Azure never changes: take another name, "
            f"or delete it first (az ml compute delete --name {wish.name})"
        )
    pairs = (
        ("min", there.low_nodes, wish.low_nodes),
        ("max", there.high_nodes, wish.high_nodes),
        ("idle", there.idle_s, wish.idle_s),
    )
    changed = [f"{name} {before} to {after}" for name, before, after in pairs if before != after]
    return (*changed, *(["an identity of its own"] if wish.identity and there.identity is None else []))


def computes(session: Session) -> list[Compute]:
    """Return all computes of the workspace. Raises AzureError."""
    with session.asking("listing the computes"):
        return [_compute(found) for found in session.client.compute.list()]


def compute_named(session: Session, name: str) -> Compute:
    """Return a compute. Raises UsageError for what is no name, AzureError."""
    if not KNOWN.fullmatch(name):
        raise UsageError(f"{name!r} is no compute's name, which is of letters, digits and dashes")
    with session.asking(f"looking at the compute {name}"):
        return _compute(session.client.compute.get(name))


def ensure(session: Session, wish: Wish, hear: Callable[[str], object], *, limit_s: float = LIMIT_S) -> Ensured:
    """Make a cluster, or change what differs, and wait for it; ``hear`` is told how far it is, every second.

    Raises:
        UsageError: it is there with a size or priority that cannot be changed, or is no cluster.
        AzureError: Azure refuses, or it does not become ready within ``limit_s`` seconds.
    """
    there = _found(session, wish.name)
    if there is None:
        return Ensured("made", _put(session, wish, _new(wish), hear, limit_s))
    before = _compute(there)
    if before.kind != CLUSTER:
        raise UsageError(f"{wish.name} is there and no cluster but {before.kind}: take another name")
    changes = differences(wish, before)
    if before.state == "Failed":
        changes = (*changes, f"made again after {before.error or 'a failure'}")
    if not changes:
        return Ensured("as wished", before)
    if there.network_settings is not None and there.network_settings.subnet is None:
        there.network_settings = None  # the SDK stumbles over what it read itself where there is no subnet
    there.min_instances, there.max_instances = wish.low_nodes, wish.high_nodes
    there.idle_time_before_scale_down = wish.idle_s
    if wish.identity and before.identity is None:
        there.identity = _own_identity()
    return Ensured("changed", _put(session, wish, there, hear, limit_s), changes)


def _found(session: Session, name: str) -> "AmlCompute | None":
    from azure.core.exceptions import ResourceNotFoundError  # noqa: PLC0415 - the SDK is loaded when it is used

    with session.asking(f"looking for the cluster {name}"):
        try:
            found: Any = session.client.compute.get(name)
        except ResourceNotFoundError as error:
            if lacks_workspace(error):
                raise  # it is the workspace that is not there
            return None
        return found  # type: ignore[no-any-return] # a cluster has more than what every compute has


def _new(wish: Wish) -> "AmlCompute":
    from azure.ai.ml.entities import AmlCompute  # noqa: PLC0415 - the SDK is loaded when it is used

    return AmlCompute(
        name=wish.name,
        size=wish.size,
        min_instances=wish.low_nodes,
        max_instances=wish.high_nodes,
        idle_time_before_scale_down=wish.idle_s,
        tier=wish.tier,
        ssh_public_access_enabled=False,
        identity=_own_identity() if wish.identity else None,
    )


def _own_identity() -> "IdentityConfiguration":
    from azure.ai.ml.entities import IdentityConfiguration  # noqa: PLC0415 - the SDK is loaded when it is used

    return IdentityConfiguration(type="system_assigned")


def _put(session: Session, wish: Wish, entity: "AmlCompute", hear: Callable[[str], object], limit_s: float) -> Compute:
    with session.asking(f"making the cluster {wish.name} ({wish.size}, up to {wish.high_nodes} nodes)"):
        poller = session.client.compute.begin_create_or_update(entity)
        _wait(poller, wish.name, hear, limit_s)
        made = _compute(poller.result())
    if made.state == "Failed":
        raise AzureError(f"cluster {wish.name}: not made ({made.error or 'Azure gives no reason'})")
    return made


def _wait(poller: "LROPoller[Any]", name: str, hear: Callable[[str], object], limit_s: float) -> None:
    waited = 0.0
    while not poller.done():
        if waited >= limit_s:
            raise AzureError(
                f"cluster {name}: not ready after {limit_s:.0f} s; `compute show {name}` tells how it goes on"
            )
        hear(f"{poller.status()}, {waited:.0f} s")
        poller.wait(LOOK_S)
        waited += LOOK_S


def _compute(entity: Any) -> Compute:
    """Return what the SDK's entity says."""
    kind = str(entity.type or "unknown").lower()
    state = getattr(entity.provisioning_state, "value", entity.provisioning_state)
    found = Compute(str(entity.name), kind, str(state), getattr(entity, "size", None))
    found = replace(found, error=entity.provisioning_errors)
    identity = getattr(entity, "identity", None)
    if identity is not None and str(identity.type).lower() != "none":
        found = replace(found, identity=str(identity.type), object_id=identity.principal_id)
    if kind != CLUSTER:
        return found
    idle = entity.idle_time_before_scale_down
    return replace(
        found,
        low_nodes=entity.min_instances,
        high_nodes=entity.max_instances,
        idle_s=None if idle is None else int(idle),
        low_priority=str(entity.tier).lower().replace("_", "") == "lowpriority",
    )
