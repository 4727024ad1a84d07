"""Waiting as long as Azure asks for, within reason. Imported late: it loads a part of the SDK."""

from azure.core.pipeline.transport import RequestsTransport

from edge.azureml.faults import LongWaitError

LONGEST_WAIT_S = 60.0
"""The SDK asks a running operation again after up to 30 s; throttled, Azure may ask for any time."""


class Transport(RequestsTransport):  # type: ignore[misc] # its package publishes it by __getattr__
    """The SDK's own way to the network, which does not sleep through what Azure asks for where that is long.

    Without it a 429 with ``Retry-After: 3600`` is an hour in which nothing is heard, up to three times.
    """

    def sleep(self, duration: float) -> None:
        """Wait, in seconds. Raises LongWaitError."""
        if duration > LONGEST_WAIT_S:
            raise LongWaitError(duration)
        super().sleep(duration)
