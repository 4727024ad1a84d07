"""What an evaluation found, as tables and sentences for a person at a terminal."""

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from training.comparison import front
from training.evaluation import Confusion
from training.judgement import Judgement
from training.metrics import AVERAGES
from training.summary import summary

MOST_COLUMNS = 10
"""A confusion table of more classes does not fit a terminal; the most frequent confusions are listed instead."""
MOST_ROWS = 20
MEGABYTE = 1e6


def print_judgement(judgement: Judgement) -> None:
    """Print metrics, classes, confusion, the comparison where there is one, and all of it in words."""
    console = Console()
    console.print(_metrics(judgement))
    console.print(_classes(judgement))
    if not judgement.answers.multilabel and judgement.mistakes:
        print_confusion(judgement.answers.confusion())
    if len(judgement.contenders) > 1:
        console.print(_contenders(judgement))
    for sentence in summary(judgement):
        click.echo(sentence)


def print_confusion(confusion: Confusion) -> None:
    """Print true classes against answers, or of many classes the most frequent confusions."""
    Console().print(_matrix(confusion) if len(confusion.labels) <= MOST_COLUMNS else _confusions(confusion))


def _table(*columns: str) -> Table:
    """Return a table whose first column is text and all others are numbers."""
    table = Table(box=None, pad_edge=False)
    table.add_column(columns[0], overflow="fold")
    for column in columns[1:]:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _metrics(judgement: Judgement) -> Table:
    table = _table("metric", "value", *AVERAGES)
    for name, value in judgement.metrics.items():
        stem, _, average = name.rpartition("_")
        if average == AVERAGES[0]:
            table.add_row(stem, "", *(_number(judgement.metrics[f"{stem}_{one}"]) for one in AVERAGES))
        elif average not in AVERAGES:
            table.add_row(name, _number(value))
    return table


def _classes(judgement: Judgement) -> Table:
    """Return the classes' figures; of very many, those with the lowest recall."""
    rows = list(zip(judgement.answers.labels, judgement.classes, strict=True))
    many = len(rows) > MOST_ROWS
    if many:
        rows = sorted(rows, key=lambda row: (row[1].recall is None, row[1].recall or 0))[:MOST_ROWS]
    head = f"class ({MOST_ROWS} worst of {len(judgement.classes)})" if many else "class"
    table = _table(head, "pictures", "answered", "precision", "recall", "F1", "AUC")
    for name, one in rows:
        figures = map(_number, (one.precision, one.recall, one.f1_score, one.auc))
        table.add_row(Text(name), str(one.pictures), str(one.answered), *figures)
    return table


def _matrix(confusion: Confusion) -> Table:
    """Return true classes against answers, whose columns are the numbers of the classes."""
    table = _table("true class \\ answer", *(str(number) for number in range(1, len(confusion.labels) + 1)))
    for number, (label, row) in enumerate(zip(confusion.labels, confusion.counts.tolist(), strict=True), 1):
        table.add_row(Text(f"{number} {label}"), *map(str, row))
    return table


def _confusions(confusion: Confusion) -> Table:
    wrong = confusion.counts - np.diag(np.diag(confusion.counts))
    table = Table("true class", "taken for", box=None, pad_edge=False)
    table.add_column("pictures", justify="right")
    for place in np.argsort(-wrong, axis=None, kind="stable")[:MOST_ROWS]:
        true, said = np.unravel_index(int(place), wrong.shape)
        if wrong[true, said]:
            names = (Text(confusion.labels[int(index)]) for index in (true, said))
            table.add_row(*names, str(wrong[true, said]))
    return table


def _contenders(judgement: Judgement) -> Table:
    table = _table("bundle", "accuracy", "p50 ms", "p90 ms", "MB", "better", "worse", "p", "front")
    for one, best in zip(judgement.contenders, front(judgement.contenders), strict=True):
        pair = one.paired
        against = ("", "", "") if pair is None else (str(pair.better), str(pair.worse), f"{pair.chance:.2g}")
        speed = (f"{one.latency.p50_ms:.2f}", f"{one.latency.p90_ms:.2f}", f"{one.size / MEGABYTE:.2f}")
        table.add_row(Text(one.name), f"{one.accuracy:.4f}", *speed, *against, "yes" if best else "")
    return table
