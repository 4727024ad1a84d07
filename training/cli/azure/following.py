"""How a job that is followed shows: a live table in a terminal, lines elsewhere, JSON lines for programs."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from training.azure.job_views import JobView
from training.azure.watch import Back, Lost, News, Seen, TimedOut, changed_trials
from training.cli.trials import board_view, figure, headline, setting, short
from training.leaderboard import Row, Trial, leaderboard, metric_of

STAR = "the best, as Azure says"
"""What the star beside a trial means."""
EXIT_CODES: Mapping[str, int] = {"completed": 0, "failed": 1, "cancelled": 3}
TIMED_OUT, INTERRUPTED = 4, 130
LINES_AROUND = 8
"""Lines of the terminal that the table leaves to headline and notes."""
LONGEST_S = 366 * 86400.0
UNITS: Mapping[str, float] = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Duration(click.ParamType[float]):
    """A time such as ``45s``, ``90m``, ``2h`` or ``1d``; a bare number is seconds. Gives seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds; fails on what is no time, or none at all."""
        found = re.fullmatch(r"(?P<count>\d+(\.\d+)?)\s*(?P<unit>[smhd]?)", str(value).strip())
        seconds = float(found["count"]) * UNITS[found["unit"] or "s"] if found else 0.0
        if not 0 < seconds <= LONGEST_S:
            self.fail(f"{str(value)[:40]!r} is no time up to a year; write 45s, 90m, 2h or 1d", param, ctx)
        return seconds


class Shown(Protocol):
    """Shows news as they come."""

    def tell(self, news: News) -> None:
        """Show one piece."""


def span(seconds: float) -> str:
    """Return a time for people: the two largest units; nothing of one that another clock puts in the future."""
    whole = max(0, round(seconds))
    counts = (("d", whole // 86400), ("h", whole // 3600 % 24), ("min", whole // 60 % 60), ("s", whole % 60))
    largest = next((index for index, (_, count) in enumerate(counts) if count), len(counts) - 1)
    return " ".join(f"{count} {unit}" for unit, count in counts[largest : largest + 2] if count) or "0 s"


def outcome(news: News) -> int | None:
    """Return the exit code that news end with, None where it goes on."""
    if isinstance(news, TimedOut):
        return TIMED_OUT
    return EXIT_CODES.get(news.view.state) if isinstance(news, Seen) else None


class Lines:
    """A line for each change, with the time of day."""

    def __init__(self) -> None:
        self._before: JobView | None = None
        self._said: dict[str, str] = {}

    def tell(self, news: News) -> None:
        """Print what changed."""
        if isinstance(news, Seen):
            for what, line in _lines(self._before, news):
                self._say(what, line)
            self._before = news.view
        else:
            self._said.pop("connection", None)
            self._say("connection", _word(news))

    def _say(self, what: str, line: str) -> None:
        if self._said.get(what) != line:
            self._said[what] = line
            click.echo(f"{datetime.now(UTC).astimezone():%H:%M:%S}  {line}")


def _lines(before: JobView | None, news: Seen) -> Iterator[tuple[str, str]]:
    view = news.view
    if view.note:
        yield "note", view.note
    for trial in changed_trials(before, view):
        yield trial.name, trial_line(trial, view, news.reasons.get(trial.name))
    yield "job", headline(view).plain


def trial_line(trial: Trial, view: JobView, reason: str | None) -> str:
    """Return how a trial stands, in one line: its score, else what it tries."""
    score = f"{view.metric} {figure(trial.score)}" if trial.score is not None else ""
    tries = ", ".join(f"{name} {setting(value)}" for name, value in trial.hyperparameters.items())
    ran = trial.seconds() if trial.ended else None
    told = [trial.state, score or tries, f"after {span(ran)}" if ran is not None else ""]
    return f"trial {short(trial, view.name)}: {', '.join(filter(None, told))}{f': {reason}' if reason else ''}"


def _word(news: Lost | Back | TimedOut) -> str:
    if isinstance(news, Lost):
        return f"no answer from Azure{'; the job goes on' if news.seen else ''}, asking again: {news.why}"
    if isinstance(news, Back):
        return f"Azure answers again, after {span(news.after_s)}"
    return "the time to watch is over; the job goes on"


class JsonLines:
    """A JSON object a line: ``event`` is job, trial, lost, back or timeout; ``at`` the time in UTC."""

    def __init__(self) -> None:
        self._before: JobView | None = None
        self._said: Mapping[str, Any] = {}

    def tell(self, news: News) -> None:
        """Print what changed."""
        if isinstance(news, Seen):
            for trial in changed_trials(self._before, news.view):
                self._print("trial", _trial_told(trial, news))
            told = _job_told(news)
            if told != self._said:
                self._print("job", told)
            self._before, self._said = news.view, told
        elif isinstance(news, Lost):
            self._print("lost", {"reason": news.why})
        elif isinstance(news, Back):
            self._print("back", {"after_s": round(news.after_s, 1)})
        else:
            self._print("timeout", {"exit_code": TIMED_OUT})

    def _print(self, event: str, told: Mapping[str, Any]) -> None:
        click.echo(json.dumps({"event": event, "at": datetime.now(UTC).isoformat(timespec="seconds"), **told}))


def _trial_told(trial: Trial, news: Seen) -> Mapping[str, Any]:
    return {
        "trial": trial.name,
        "state": trial.state,
        "score": trial.score,
        "metrics": dict(trial.metrics),
        "hyperparameters": dict(trial.hyperparameters),
        "reason": news.reasons.get(trial.name),
    }


def _job_told(news: Seen) -> Mapping[str, Any]:
    view = news.view
    return {
        "job": view.name,
        "status": view.status,
        "state": view.state,
        "metric": view.metric,
        "trials": {
            state: sum(t.state == state for t in view.trials) for state in dict.fromkeys(t.state for t in view.trials)
        },
        "planned": view.planned,
        "best": view.best,
        "note": view.note,
        "reason": news.reasons.get(view.name),
        "exit_code": EXIT_CODES.get(view.state),
    }


class LiveTable:
    """The trials, best first, drawn anew as they change; the clock goes on between news."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._seen: Seen | None = None
        self._lost: str | None = None

    def tell(self, news: News) -> None:
        """Keep what is to be drawn."""
        if isinstance(news, Seen):
            self._seen = news
        self._lost = _word(news) if isinstance(news, Lost) else None

    def draw(self) -> RenderableType:
        """Return what the terminal shows now."""
        if self._seen is None:
            return Text(self._lost or "asking Azure", style="yellow" if self._lost else "dim")
        view = self._seen.view
        notes = [Text(f"trial {name} failed: {why}", style="red") for name, why in _of_trials(self._seen)]
        if self._lost:
            notes.append(Text(self._lost, style="yellow"))
        age = span((datetime.now(UTC) - view.created).total_seconds()) if view.created else ""
        clock = [Text(f"{age} since it was submitted", style="dim")] if age and not view.ended else []
        return Group(self._table(view, len(notes)), *notes, *clock)

    def _table(self, view: JobView, notes: int) -> RenderableType:
        if not view.trials or not (view.metric or any(trial.metrics for trial in view.trials)):
            return Group(headline(view), *(Text(trial_line(trial, view, None)) for trial in view.trials))
        board = leaderboard(view, None if view.metric else next(iter(view.trials[0].metrics), None))
        room = max(1, self._console.height - LINES_AROUND - notes)
        return board_view(board, _most_telling(board.rows, room), self._console.width, star=STAR)


def _most_telling(rows: tuple[Row, ...], room: int) -> list[Row]:
    """Return as many rows as there is room for: those that run, and the best; in the order of ranks."""
    live = [row for row in rows if row.trial.state == "running"][: max(1, room // 2)]
    rest = [row for row in rows if row not in live][: max(0, room - len(live))]
    return [row for row in rows if row in live or row in rest]


def _of_trials(seen: Seen) -> list[tuple[str, str]]:
    trials = {trial.name: short(trial, seen.view.name) for trial in seen.view.trials}
    return [(trials[name], why) for name, why in seen.reasons.items() if name in trials]


@contextmanager
def showing(console: Console, *, as_json: bool) -> Iterator[Shown]:
    """Give what shows news here."""
    if as_json:
        yield JsonLines()
    elif not console.is_terminal:
        yield Lines()
    else:
        table = LiveTable(console)
        with Live(console=console, get_renderable=table.draw, refresh_per_second=2):
            yield table


def last_words(news: Seen, job: str) -> str:
    """Return how a job ended and what comes next, for people."""
    view = news.view
    reason = news.reasons.get(job)
    if view.state != "completed":
        return f"job {job}: {view.status}" + (f": {reason}" if reason else "")
    best = next((trial for trial in view.trials if trial.name == view.best), None)
    if best is None:
        return f"job {job}: {view.status}"
    value = metric_of(best.metrics, view.metric) if view.metric else None
    score = f", {view.metric} {figure(value)}" if value is not None else ""
    return (
        f"best: trial {short(best, job)}{score}\nnext: automl-train azure fetch {job} --model NAME makes a bundle of it"
    )
