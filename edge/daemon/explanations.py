"""What explains answers beside the live pictures, and how much room it leaves to them."""

from edge.execution.explaining import Explaining
from edge.metrics import Metrics
from edge.ports import Executor
from edge.session import usable_cores


def make_explaining(executor: Executor, metrics: Metrics) -> Explaining:
    """Return what explains the answers of the model that ``executor`` runs."""
    spare = max(1, usable_cores() // 2)

    def calm() -> bool:
        """Lanes have a core each, so that half of them may be taken; a device has one queue for all."""
        return executor.queued < (spare if executor.shape == "lanes" else 1)

    return Explaining(model=lambda: executor.model, calm=calm, counted=metrics.explained)
