"""A job's trials, best first, with what tells them apart."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from training.azure.job_views import MODEL, JobView, Trial, metric_of, smaller_is_better
from training.errors import AzureError, UsageError


@dataclass(frozen=True, slots=True)
class Row:
    """A trial's place: ``rank`` counts from 1 and is None without a ``value``; ``best`` is Azure's own word."""

    rank: int | None
    trial: Trial
    value: float | None
    best: bool


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """Trials by ``metric``, best first; those without a value last, by number.

    ``settings`` are the names of hyperparameters that differ between trials, and the model's; ``metrics`` the names of
    all metrics, ``metric`` first.
    """

    view: JobView
    metric: str
    rows: tuple[Row, ...]
    settings: tuple[str, ...]
    metrics: tuple[str, ...]

    @property
    def first(self) -> Row | None:
        """The row with the best value."""
        return self.rows[0] if self.rows and self.rows[0].rank else None


def leaderboard(view: JobView, metric: str | None = None) -> Leaderboard:
    """Return a job's leaderboard by its primary metric, or by another one.

    Raises:
        AzureError: the job has no trials.
        UsageError: no trial has such a metric, or the job has no primary one.
    """
    if not view.trials:
        later = "" if view.ended else " yet"
        raise AzureError(f"job {view.name}: has no trials{later}; it is {view.status}")
    known = names(trial.metrics for trial in view.trials)
    chosen = _chosen(view, metric, known)
    values = {trial.name: metric_of(trial.metrics, chosen) for trial in view.trials}
    sign = 1 if smaller_is_better(chosen) else -1

    def place(trial: Trial) -> tuple[bool, float, int]:
        value = values[trial.name]
        return value is None, sign * (value or 0.0), trial.number or 0

    ordered = sorted(view.trials, key=place)
    rows = tuple(
        Row(rank if values[trial.name] is not None else None, trial, values[trial.name], trial.name == view.best)
        for rank, trial in enumerate(ordered, 1)
    )
    others = [name for name in known if name != chosen]
    return Leaderboard(view, chosen, rows, differing(view.trials), (chosen, *others))


def _chosen(view: JobView, metric: str | None, known: Sequence[str]) -> str:
    wanted = metric or view.metric
    if wanted is None:
        raise UsageError(f"job {view.name}: has no primary metric; name one: {', '.join(known) or 'it logged none'}")
    found = next((name for name in known if name.lower() == wanted.lower()), None)
    if found is None and metric is not None:
        raise UsageError(
            f"job {view.name}: no trial has the metric {metric}; there is {', '.join(known) or 'none yet'}"
        )
    return found or wanted


def names(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return all keys, each once, in the order in which they first come."""
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def differing(trials: Sequence[Trial]) -> tuple[str, ...]:
    """Return the hyperparameters that are not the same in all trials, of a single one all; the model's comes first."""
    known = names(trial.hyperparameters for trial in trials)
    values = {name: {repr(trial.hyperparameters.get(name)) for trial in trials} for name in known if name != MODEL}
    telling = [name for name, found in values.items() if len(trials) == 1 or len(found) > 1]
    return (*([MODEL] if MODEL in known else []), *telling)


def records(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return rows as plain data, with all hyperparameters and metrics; times as ISO 8601, seconds once it ended."""
    return [
        {
            "rank": row.rank,
            "trial": row.trial.name,
            "state": row.trial.state,
            "best": row.best,
            "value": row.value,
            "started": _iso(row.trial.started),
            "ended": _iso(row.trial.ended),
            "seconds": row.trial.seconds() if row.trial.ended else None,
            "metrics": dict(row.trial.metrics),
            "hyperparameters": dict(row.trial.hyperparameters),
        }
        for row in rows
    ]


def _iso(at: Any) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


def as_csv(board: Leaderboard, rows: Sequence[Row]) -> str:
    """Return rows as CSV: a column for each metric, then one for each hyperparameter that any trial has."""
    settings = names(row.trial.hyperparameters for row in board.rows)
    plain = ("rank", "trial", "state", "best", "started", "ended", "seconds")
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*plain, *board.metrics, *settings])
    for record in records(rows):
        metrics = [record["metrics"].get(name, "") for name in board.metrics]
        chosen = [record["hyperparameters"].get(name, "") for name in settings]
        writer.writerow([*("" if record[key] is None else record[key] for key in plain), *metrics, *chosen])
    return text.getvalue()
