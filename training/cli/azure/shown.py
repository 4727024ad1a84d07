"""The bars of downloads and uploads, and of what Azure is waited for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from training.cli.progress import bars

MEGABYTE = 1_000_000


@contextmanager
def steps() -> Iterator[Callable[[str, int, int], None]]:
    """Give what shows a step: its name, how far it is, and of how much; figures in megabytes where these are bytes."""
    with bars() as shown:
        last = ""

        def show(step: str, done: int, of: int) -> None:
            nonlocal last
            figures = f"{done / MEGABYTE:.1f} of {of / MEGABYTE:.1f} MB" if of > 1 else "done" if done else "waiting"
            shown.update(step, done, of, figures, milestone=step != last and of == 1)
            last = step

        yield show
