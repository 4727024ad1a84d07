"""What follows the registry and swaps models into the executor, as the configuration says."""

from edge.bundle import Bundle
from edge.config import Config
from edge.daemon.control import DaemonControl
from edge.daemon.trials import Trials
from edge.metrics import Metrics
from edge.ports import Executor, Model
from edge.proof import load_and_prove
from edge.registry.local import LocalRegistry
from edge.registry.store import Store
from edge.rollout import SERVES, Change, Rollout, Service, Staging, Wish

MEGAPIXEL = 1_000_000


def make_rollout(
    config: Config, store: Store, executor: Executor, control: DaemonControl, metrics: Metrics, trials: Trials
) -> Rollout:
    """Return what follows the configured registry and swaps models into ``executor``."""

    def load(bundle: Bundle) -> Model:
        model, _ = load_and_prove(
            bundle,
            device=config.session.device,
            threads=config.session.threads or None,
            batch_sizes=config.session.batch_sizes,
            max_pixels=config.http.max_megapixels * MEGAPIXEL,
        )
        return model

    def changed(change: Change) -> None:
        if change.kind == "refused":
            metrics.refused()
        elif change.kind in SERVES:
            metrics.swapped()
        control.announce()

    registry = LocalRegistry(config.registry.path)
    return Rollout(
        registry,
        store,
        Staging(registry, store, load=load, noted=control.announce),
        Service(store, swap=executor.swap, changed=changed),
        wish=Wish(config.model.name, config.model.version),
        noted=control.announce,
        trial=trials.shadow,
        probation=trials.probation,
    )
