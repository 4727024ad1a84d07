"""The rows of the fault suite: each module has ``TITLE`` and ``run(scale)``, which returns one tally or several."""

import pkgutil
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from tests.faults.tally import Scale, Tally

FIRST = ("broker", "killed", "disk", "damaged")
"""Rows whose place in the table is fixed; the others follow by name."""


class Row(Protocol):
    """What a row's module holds."""

    TITLE: str

    def run(self, scale: Scale, /) -> Tally | Sequence[Tally]:
        """Make the fault ``scale.of(…)`` times in mid traffic and count what became of the results."""


def names() -> list[str]:
    """Return every row's name in the order of the table."""
    found = [module.name for module in pkgutil.iter_modules(__path__)]
    return sorted(found, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))


def row(name: str) -> Row:
    """Return a row's module."""
    return cast("Row", import_module(f"{__name__}.{name}"))


def beside(name: str) -> bool:
    """Tell whether a row may run beside the others: it needs little of the machine and judges no moment."""
    return bool(getattr(row(name), "BESIDE", False))
