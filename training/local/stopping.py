"""Which epoch is kept, and when waiting for a better one is no use; of figures alone."""

from collections.abc import Sequence

from training.local.run import Epoch
from training.settings import Settings


def best_of(epochs: Sequence[Epoch], metric: str) -> Epoch:
    """Return the judged epoch of the highest metric, of several the one of the least log-loss; the last if none is."""
    judged = [epoch for epoch in epochs if epoch.validation]
    if not judged:
        return epochs[-1]
    return max(judged, key=lambda epoch: (epoch.validation[metric], -epoch.validation["log_loss"], -epoch.epoch))


def is_stale(epochs: Sequence[Epoch], settings: Settings, metric: str) -> bool:
    """Tell whether the metric has not risen for as long as the settings are patient.

    AutoML counts evaluations, and not before as many as its delay have been.
    """
    values = [epoch.validation[metric] for epoch in epochs if epoch.validation]
    if not settings.early_stopping or not values:
        return False
    peak = values.index(max(values)) + 1
    return len(values) - max(peak, settings.early_stopping_delay) >= settings.early_stopping_patience


def is_due(epoch: int, frequency: int, epochs: int) -> bool:
    """Tell whether what happens every `frequency` epochs, and after the last one, happens after this one (from 1)."""
    return epoch % frequency == 0 or epoch == epochs
