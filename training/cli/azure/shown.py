"""The bars of downloads and uploads, and of what Azure is waited for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from training.cli.progress import bars

MEGABYTE = 1_000_000


def size_text(size_bytes: int) -> str:
    """Return a size for a person: kilobytes where a tenth of a megabyte would say too little."""
    return f"{size_bytes / MEGABYTE:.1f} MB" if size_bytes >= MEGABYTE / 10 else f"{size_bytes / 1000:.1f} kB"


@contextmanager
def steps() -> Iterator[Callable[[str, int, int], None]]:
    """Give what shows a step: its name, how far it is, and of how much; figures in megabytes where these are bytes."""
    with bars() as shown:
        last = ""

        def show(step: str, done: int, of: int) -> None:
            nonlocal last
            figures = f"{size_text(done)} of {size_text(of)}" if of > 1 else "done" if done else "waiting"
            shown.update(step, done, of, figures, milestone=step != last and of == 1)
            last = step

        yield show
