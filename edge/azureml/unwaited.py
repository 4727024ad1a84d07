"""Work in threads that nobody waits for at the end of the process: who interrupts a command, interrupts it."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

_Made = TypeVar("_Made")


def begin(work: Callable[[], _Made], name: str) -> Future[_Made]:
    """Begin a work in a thread of its own, and return what will hold what it returns or raises."""
    made: Future[_Made] = Future()

    def run() -> None:
        try:
            made.set_result(work())
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised where it is waited for
            made.set_exception(error)

    Thread(target=run, name=name, daemon=True).start()
    return made
