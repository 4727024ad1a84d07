"""Changes that Azure makes at its leisure: begun, then looked at until they are done."""

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.polling import LROPoller

LOOK_S = 1.0

Told = Callable[[str, float], None]
"""Hears what is waited for, and for how many seconds it has been."""


def finish(begin: "Callable[[], LROPoller[Any]]", what: str, told: Told) -> Any:
    """Begin a change and return what it made; ``told`` hears each second that it is still going on.

    What the SDK prints meanwhile (a dot for each look) does not reach standard output, which programs read. Raises what
    the SDK raises.
    """
    started = monotonic()
    told(what, 0.0)
    with redirect_stdout(io.StringIO()):
        poller = begin()
        while not poller.done():
            poller.wait(LOOK_S)
            told(what, monotonic() - started)
        return poller.result()
