"""What Azure did not do, as an error of the edge's own that keeps whose fault it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from edge.azureml.faults import Fault, azure_errors
from edge.errors import ConfigError, EdgeError, ModelNotFoundError, RegistryError, StoreError
from edge.registry.inquiry import Failure


class AzureFaultError(RegistryError):
    """Azure refuses, or does not answer: see its ``fault``."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Turn errors of Azure's packages into AzureFaultError, saying ``what`` was attempted."""
    with azure_errors(what, AzureFaultError):
        yield


def failure_of(error: EdgeError) -> Failure:
    """Return what the daemon is told of an error: the error that it raises there, whose fault it is, and the text."""
    if isinstance(error, AzureFaultError):
        return Failure("RegistryError", error.fault.kind, str(error), error.fault.retry_after_s)
    kinds: tuple[tuple[type[EdgeError], str], ...] = (
        (ModelNotFoundError, "absent"),
        (RegistryError, "damaged"),
        (StoreError, "disk"),
        (ConfigError, "configuration"),
    )
    kind = next((kind for known, kind in kinds if isinstance(error, known)), "refused")
    return Failure(type(error).__name__, kind, str(error))
