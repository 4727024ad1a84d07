"""The report of an evaluation: one page that needs no network and nothing beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from edge.durable import replace_file
from training.answers import Answers
from training.charts import pareto_svg, reliability_svg, threshold_svg
from training.comparison import Contender, front
from training.errors import DataError
from training.judgement import Judgement, Shown, confusion_json, worst
from training.metrics import AVERAGES
from training.pages.sheet import Tile, tiles_html
from training.pages.templates import filled
from training.summary import counted, summary, threshold_text
from training.thresholds import ERRORS, Choice

MOST_CELLS = 40
"""So many classes a confusion table has; of more, those with most mistakes are shown."""
MOST_LEFT_OUT = 200
MEGABYTE = 1e6


def write_report(path: Path, judgement: Judgement) -> None:
    """Write the page in one step. Raises DataError where it cannot be written."""
    try:
        replace_file(path, report_html(judgement).encode(errors="replace"))
    except OSError as exc:
        raise DataError(f"{path}: cannot be written ({exc.strerror})") from exc


def report_html(judgement: Judgement) -> str:
    """Return the page."""
    found, calibration = judgement.circumstances, judgement.calibration
    after = calibration.after
    averaged = [name.removesuffix("_macro") for name in judgement.metrics if name.endswith("_macro")]
    headline, *sentences = summary(judgement)
    return filled(
        "report.html",
        title=f"{found.bundle}, judged",
        accuracy=judgement.accuracy,
        headline=headline,
        sentences=sentences,
        single=[(n, v) for n, v in judgement.metrics.items() if not n.endswith(tuple(f"_{a}" for a in AVERAGES))],
        averaged=[(name, [judgement.metrics[f"{name}_{average}"] for average in AVERAGES]) for name in averaged],
        matrix=None if judgement.answers.multilabel else _matrix(judgement.answers),
        several=_several(judgement.answers) if judgement.answers.multilabel else None,
        classes=list(zip(judgement.answers.labels, judgement.classes, strict=True)),
        reliability=_safe(reliability_svg(calibration.before, after)),
        before=calibration.before,
        after=after,
        threshold=_threshold(judgement.choice),
        mistakes=judgement.mistakes,
        **_worst(judgement.answers),
        **_speed(judgement),
        left_out=[{"name": str(one.record.path), "reason": one.reason} for one in judgement.left_out[:MOST_LEFT_OUT]],
        left_out_count=len(judgement.left_out),
        circumstances=_circumstances(judgement),
    )


def _safe(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704 - matplotlib escapes what it writes


def _matrix(answers: Answers) -> dict[str, Any] | None:
    """Return the confusion table of the classes with most mistakes, None where none has any."""
    counts = answers.confusion().counts
    wrong = counts - np.diag(np.diag(counts))
    mistakes = wrong.sum(axis=0) + wrong.sum(axis=1)
    if not mistakes.any() and len(answers.labels) > MOST_CELLS:
        return None
    shown = np.sort(np.argsort(-mistakes, kind="stable")[:MOST_CELLS])
    totals = np.maximum(counts.sum(axis=1), 1)
    names = [answers.labels[int(index)] for index in shown]
    text = "Rows: what the pictures show; columns: what was answered, by the number of the class."
    if len(shown) < len(answers.labels):
        text += f" Of {len(answers.labels)} classes the {len(shown)} with most mistakes; the JSON has them all."

    def cell(row: int, column: int) -> dict[str, Any]:
        share = f"{counts[row, column] / totals[row]:.3f}"
        return {"count": int(counts[row, column]), "kind": "hit" if row == column else "miss", "share": share}

    rows = [
        {"number": int(row) + 1, "name": name, "cells": [cell(int(row), int(column)) for column in shown]}
        for row, name in zip(shown, names, strict=True)
    ]
    return {"text": text, "names": names, "numbers": [int(index) + 1 for index in shown], "rows": rows}


def _several(answers: Answers) -> list[dict[str, Any]]:
    return [
        {"name": name, "counts": (hit, missed, wrongly, rightly)}
        for name, ((rightly, wrongly), (missed, hit)) in zip(answers.labels, confusion_json(answers), strict=True)
    ]


def _threshold(choice: Choice) -> dict[str, Any]:
    wrong, refused = (name.replace("_", " ") for name in ERRORS[choice.kind])
    prices = choice.prices
    text = f"The best threshold is {threshold_text(choice.threshold)}."
    if choice.by_cost:
        text += f" Prices each: {wrong} {prices.accepted:g}, {refused} {prices.refused:g}."
    if choice.good_share is not None:
        text += f" Costs are for {choice.good_share:.4g} of the parts being good ({choice.good})."
    rows = [
        {
            "name": name,
            "counts": (counted(outcome.by_accepting), counted(outcome.by_refusing)),
            "value": f"{outcome.value:,.4g}",
        }
        for name, outcome in (("today", choice.today), ("at the best threshold", choice.best))
    ]
    rows.append({"name": "on pictures that did not choose it", "counts": ("", ""), "value": f"{choice.held_out:,.4g}"})
    measure = "cost of 1,000 parts" if choice.by_cost else "F1 (micro)"
    chart = _safe(threshold_svg(choice))
    return {"text": text, "chart": chart, "errors": (wrong, refused), "measure": measure, "rows": rows}


def _worst(answers: Answers) -> dict[str, Any]:
    found = worst(answers)
    wrong, right = [one for one in found if not one.right], [one for one in found if one.right]
    return {
        "wrong": tiles_html(_tiles(answers, wrong)) if wrong else None,
        "wrong_count": len(wrong),
        "uncertain": tiles_html(_tiles(answers, right)) if right else None,
    }


def _tiles(answers: Answers, some: Sequence[Shown]) -> list[Tile]:
    return [_tile(answers, one) for one in some]


def _tile(answers: Answers, one: Shown) -> Tile:
    record = answers.records[one.row]
    true, answer = (", ".join(names) or "no label" for names in (one.true, one.answer))
    lines = (
        (f"answered with {one.score:.4f}", record.path.name)
        if one.right
        else (
            f"shows {true} ({one.own:.4f})",
            record.path.name,
        )
    )
    return Tile(record.path, answer if one.right else f"{answer}, {one.score:.4f}", lines)


def _speed(judgement: Judgement) -> dict[str, Any]:
    several = judgement.contenders
    if len(several) > 1:
        rows = [
            _contender(number, one, best=best)
            for number, (one, best) in enumerate(zip(several, front(several), strict=True), 1)
        ]
        return {"pareto": _safe(pareto_svg(several)), "contenders": rows, "alone": ""}
    spent = judgement.latency
    text = (
        f"One picture at a time, from its bytes to the answer, on this device: p50 {spent.p50_ms:.2f} ms, "
        f"p90 {spent.p90_ms:.2f} ms. Give other bundles with --against to compare."
    )
    return {"pareto": None, "contenders": [], "alone": text}


def _contender(number: int, one: Contender, *, best: bool) -> dict[str, Any]:
    pair = one.paired
    against = ("", "", "") if pair is None else (str(pair.better), str(pair.worse), f"{pair.chance:.2g}")
    speed = (f"{one.latency.p50_ms:.2f}", f"{one.latency.p90_ms:.2f}", f"{one.size / MEGABYTE:.2f}")
    return {"name": f"{number} {one.name}", "cells": ("yes" if best else "", f"{one.accuracy:.4f}", *speed, *against)}


def _circumstances(judgement: Judgement) -> list[tuple[str, str]]:
    found = judgement.circumstances
    proof = "proven on this device" if found.proven else "not proven: it has no golden pictures"
    return [
        ("bundle", found.bundle),
        ("digest", found.digest),
        ("proof", proof),
        ("task", judgement.answers.task),
        ("provider", found.provider),
        ("machine", found.machine),
        ("versions", ", ".join(f"{name} {version}" for name, version in found.versions.items())),
        ("pictures", f"{len(judgement.answers.records):,}"),
        ("SHA-256 of pictures and labels", found.data_sha256),
        ("judged at", found.judged_at),
    ]
