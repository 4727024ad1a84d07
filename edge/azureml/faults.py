"""What Azure's errors mean, in words for a person: what happened, to what, and what to do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

FaultKind = Literal["denied", "signed-out", "absent", "conflict", "throttled", "unreachable", "server", "refused"]
"""Whose fault: ``denied`` and ``signed-out`` are rights and identity, ``absent`` a wrong name, ``refused`` a request
that Azure or its SDK finds wrong; ``throttled``, ``unreachable`` and ``server`` pass, and are worth another try."""
PASSING: frozenset[FaultKind] = frozenset(("throttled", "unreachable", "server"))


@dataclass(frozen=True, slots=True)
class Fault:
    """One line for a person; ``retry_after_s`` is Azure's own wish where it has one."""

    kind: FaultKind
    text: str
    retry_after_s: float | None = None

    @property
    def passes(self) -> bool:
        """Whether the same may work later without anybody doing something."""
        return self.kind in PASSING


def explain(error: Exception, what: str) -> Fault | None:
    """Return what an error of Azure's packages means for ``what`` was attempted; None for an error of no such kind."""
    from azure.core import exceptions as core  # noqa: PLC0415 - only who talks to Azure has it

    if isinstance(error, core.ClientAuthenticationError):
        return Fault("signed-out", f"{what}: Azure does not accept the identity ({_first_line(error)})")
    if isinstance(error, core.HttpResponseError):
        return _answered(error, what)
    if isinstance(error, core.AzureError):
        return Fault("unreachable", f"{what}: Azure cannot be reached ({_first_line(error)})")
    if type(error).__module__.startswith("azure.ai.ml"):
        return Fault("refused", f"{what}: {_first_line(error)}")
    return None


@contextmanager
def azure_errors(what: str, raised: Callable[[Fault], Exception]) -> Iterator[None]:
    """Turn errors of Azure's packages into what ``raised`` makes of them."""
    try:
        yield
    except Exception as error:
        fault = explain(error, what)
        if fault is None:
            raise
        raise raised(fault) from error


def _answered(error: Exception, what: str) -> Fault:
    status = getattr(error, "status_code", None)
    headers = getattr(getattr(error, "response", None), "headers", {}) or {}
    said = _first_line(error)
    kinds: dict[int | None, FaultKind] = {
        401: "signed-out",
        403: "denied",
        404: "absent",
        409: "conflict",
        429: "throttled",
        None: "unreachable",
    }
    kind = kinds.get(status) or ("server" if status and status >= 500 else "refused")
    after = str(headers.get("Retry-After", ""))
    return Fault(kind, f"{what}: {said}", float(after) if after.isdecimal() else None)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
