"""What every test runs under: no thread, task or child process may outlive the test that started it."""

import asyncio
import gc
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import psutil
import pytest
from hypothesis import settings

pytest_plugins = ["tests.azure.fixtures"]

settings.register_profile("untimed", settings(deadline=None))  # a busy machine is no fault of an example
settings.load_profile("untimed")

GRACE_S = 2.0
"""How long something that is already ending may take to end."""
LASTING = ("azure stand-in", "tqdm_monitor")
"""Names of threads and tasks that serve one test after the other."""


def _threads(before: set[threading.Thread]) -> list[threading.Thread]:
    found = [t for t in threading.enumerate() if t not in before and t.is_alive()]
    return [t for t in found if not t.name.startswith(LASTING)]


def _children(before: set[psutil.Process]) -> list[psutil.Process]:
    return [
        p for p in psutil.Process().children(recursive=True) if p not in before and p.status() != psutil.STATUS_ZOMBIE
    ]


def _every_task() -> Iterable[Any]:
    """Return all tasks that asyncio knows of; where its register has another form, everything that exists."""
    for register in ("_scheduled_tasks", "_all_tasks"):
        known = getattr(asyncio.tasks, register, None)
        if known is not None:
            return list(known)
    return gc.get_objects()


def _tasks() -> list[str]:
    """Return pending tasks of loops that are not closed.

    Asks for the type, since isinstance asks for ``__class__``, which lazy module proxies (torch has some) answer with a
    warning.
    """
    return [
        repr(task)
        for task in _every_task()
        if issubclass(type(task), asyncio.Task) and not task.done() and not task.get_loop().is_closed()
        if not task.get_name().startswith(LASTING)
    ]


@pytest.fixture(autouse=True)
def no_leaks() -> Iterator[None]:
    """Fail a test that leaves a thread, a child process or an asyncio task behind."""
    threads, children = set(threading.enumerate()), set(psutil.Process().children(recursive=True))
    tasks = set(_tasks())
    yield
    deadline = time.monotonic() + GRACE_S
    while (_threads(threads) or _children(children)) and time.monotonic() < deadline:
        time.sleep(0.01)
    left = [*map(repr, _threads(threads)), *map(repr, _children(children)), *(t for t in _tasks() if t not in tasks)]
    assert not left, f"left behind: {', '.join(left)}"
