"""What follows the registry and swaps models into the executor, as the configuration says."""

from collections.abc import Callable

from edge.bundle import Bundle
from edge.config import Config
from edge.daemon.control import DaemonControl
from edge.daemon.trials import Trials
from edge.metrics import Metrics
from edge.ports import Executor, Model, Registry
from edge.proof import load_and_prove
from edge.registry.store import Store
from edge.rehearsal import Rehearsal, Task
from edge.rollout import SERVES, Change, Rollout, Service, Staging, Wish

MEGAPIXEL = 1_000_000


def trust(config: Config) -> Callable[[Bundle], None]:
    """Return what refuses bundles that nobody vouches for, where the configuration names those who may."""
    trusted = frozenset(config.registry.trusted_keys)
    if not trusted:
        return lambda _: None
    from edge.bundle.signing import check_signed  # noqa: PLC0415 - only who trusts keys needs cryptography

    return lambda bundle: check_signed(bundle, trusted)


def make_rollout(
    config: Config,
    registry: Registry,
    store: Store,
    executor: Executor,
    control: DaemonControl,
    metrics: Metrics,
    trials: Trials,
) -> Rollout:
    """Return what follows the registry and swaps models into ``executor``."""

    def changed(change: Change) -> None:
        if change.kind == "refused":
            metrics.refused()
        elif change.kind in SERVES:
            metrics.swapped()
        control.tell(change)

    return Rollout(
        registry,
        store,
        _staging(config, registry, store, noted=control.announce),
        Service(store, swap=executor.swap, changed=changed),
        wish=Wish(config.model.name, config.model.version),
        noted=control.announce,
        trial=trials.shadow,
        probation=trials.probation,
    )


def _staging(config: Config, registry: Registry, store: Store, *, noted: Callable[[], None]) -> Staging:
    """Return what makes models of bundles: rehearsed first, in a process of its own, where that is called for."""
    task = Task(
        device=config.session.device,
        threads=config.session.threads or None,
        batch_sizes=config.session.batch_sizes,
        max_pixels=config.http.max_megapixels * MEGAPIXEL,
    )

    def load(bundle: Bundle, rehearsed_on: str | None) -> Model:
        model, _ = load_and_prove(
            bundle,
            device=task.device,
            threads=task.threads,
            batch_sizes=task.batch_sizes,
            max_pixels=task.max_pixels,
            rehearsed_on=rehearsed_on,
        )
        return model

    rehearsal = Rehearsal(task, timeout_s=config.rollout.load_timeout_s)
    return Staging(registry, store, load=load, rehearsal=rehearsal, careful=config.rollout.rehearse, noted=noted)
