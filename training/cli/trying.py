"""What a person sees of a sweep that runs: a live table in a terminal, a line for each trial elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from training.cli.trials import board_view, figure, headline, setting
from training.leaderboard import leaderboard
from training.local.sweep.overview import SweepView
from training.local.sweep.search import Began, Event, Over, Progress, Watch

LINES_AROUND = 9
"""Lines of the terminal that the table leaves to what stands around it."""
STAR = "the best"
LOOKS_A_SECOND = 2.0


@contextmanager
def watching(view: Callable[[], SweepView]) -> Iterator[Watch]:
    """Show on standard error what happens, until the block ends."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda event: console.print(line(event), highlight=False, markup=False, soft_wrap=True)
        return
    table = Table(view, console)
    with Live(table.drawn(), console=console, refresh_per_second=LOOKS_A_SECOND, transient=True) as live:

        def told(event: Event) -> None:
            table.hear(event)
            live.update(table.drawn())

        yield told


class Table:
    """The trials so far, best first, and how far those are that run."""

    def __init__(self, view: Callable[[], SweepView], console: Console) -> None:
        self._view = view
        self._console = console
        self._running: dict[int, Began] = {}
        self._epochs: dict[int, int] = {}

    def hear(self, event: Event) -> None:
        """Take note of what happened."""
        if isinstance(event, Began):
            self._running[event.number] = event
        elif isinstance(event, Progress):
            self._epochs[event.number] = event.epoch
        else:
            self._running.pop(event.number, None)

    def drawn(self) -> RenderableType:
        """Return how it stands now."""
        view = self._view()
        if not view.trials:
            return headline(view)
        board = leaderboard(view)
        room = max(3, self._console.height - LINES_AROUND)
        under_way = [
            f"{number} (epoch {self._epochs.get(number, 0)}/{began.epochs})" for number, began in self._running.items()
        ]
        beneath = Text(f"running: {', '.join(under_way)}", style="cyan") if under_way else Text()
        return Group(board_view(board, board.rows[:room], self._console.width, star=STAR), beneath)


def line(event: Event) -> str:
    """Return what happened as a line."""
    if isinstance(event, Began):
        chosen = ", ".join(f"{name}={setting(value)}" for name, value in event.drawn.items())
        return f"trial {event.number}: {'goes on' if event.again else 'begins'}: {chosen}"
    if isinstance(event, Progress):
        return f"trial {event.number}: epoch {event.epoch}: {figure(event.value) or 'not judged'}"
    return f"trial {event.number}: {_ending(event)}"


def _ending(over: Over) -> str:
    if over.state == "failed":
        return f"failed: {over.reason}"
    return f"{over.state}, best {figure(over.value)}"
