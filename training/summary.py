"""What an evaluation found, in words: the same on the terminal and in the report. Pure."""

from collections.abc import Iterator

import numpy as np

from training.calibration import Calibration
from training.comparison import Contender
from training.judgement import Judgement
from training.thresholds import Choice, Count

FEW = 30
"""Below so many pictures, a class's figures are rough."""
BELIEVABLE = 0.05
SEEN = "These are the pictures that its fit was given: expect less on others, and judge it on pictures it has not seen."


def summary(judgement: Judgement) -> list[str]:
    """Return sentences, the most important first."""
    return [
        _accuracy(judgement),
        *([SEEN] if judgement.circumstances.trained_on_these else []),
        *_confused(judgement),
        *_few(judgement),
        *_left_out(judgement),
        _calibration(judgement.calibration),
        _threshold(judgement.choice),
        *(_compared(judgement.contenders[0], one) for one in judgement.contenders[1:]),
    ]


def percent(share: float) -> str:
    """Return a share as a percentage for a person."""
    return f"{share * 100:.3g} %"


def _accuracy(judgement: Judgement) -> str:
    pictures, (low, high) = len(judgement.answers.records), judgement.interval
    what = "answered with exactly their labels" if judgement.answers.multilabel else "answered rightly"
    right = pictures - judgement.mistakes
    name = judgement.circumstances.bundle
    return (
        f"{name}: {right:,} of {pictures:,} pictures {what}, accuracy {judgement.accuracy:.4f} "
        f"(95 %: {low:.4f} to {high:.4f})."
    )


def _confused(judgement: Judgement) -> Iterator[str]:
    answers = judgement.answers
    if answers.multilabel or not judgement.mistakes:
        return
    counts = answers.confusion().counts.copy()
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    true, said = np.unravel_index(int(counts.argmax()), counts.shape)
    often = f"{counts[true, said]:,} of {totals[true]:,}"
    yield f"Most often {answers.labels[int(true)]} is taken for {answers.labels[int(said)]}: {often}."


def _few(judgement: Judgement) -> Iterator[str]:
    shown = [one.pictures for one in judgement.classes]
    missing, rough = sum(not count for count in shown), sum(0 < count < FEW for count in shown)
    if missing:
        yield f"{missing} of {len(shown)} classes have no picture here: nothing is known of them."
    if rough:
        yield f"{rough} of {len(shown)} classes have fewer than {FEW} pictures: their figures are rough."


def _left_out(judgement: Judgement) -> Iterator[str]:
    out = judgement.left_out
    if out:
        first = f"{out[0].record.path.name}: {out[0].reason}"
        yield (
            f"{len(out):,} pictures were left out, such as {first}."
            if len(out) > 1
            else f"1 picture was left out, {first}."
        )


def _calibration(found: Calibration) -> str:
    text = f"Confidence and accuracy differ by {found.before.expected_error:.4f} on average (ECE)"
    if found.temperature is None or found.after is None:
        return f"{text}; no temperature is offered: {found.why}."
    after, before = found.after, found.before
    if after.log_loss >= before.log_loss:
        return f"{text}; a temperature would not help."
    losses = f"log-loss {before.log_loss:.4f} to {after.log_loss:.4f}"
    return f"{text}, by {after.expected_error:.4f} with a temperature of {found.temperature:.3f} ({losses})."


def _threshold(choice: Choice) -> str:
    threshold = threshold_text(choice.threshold)
    rules = {
        "good": f"Pass a part where p({choice.good}) > {threshold}",
        "look": f"Let a person look where the score is not above {threshold}",
        "labels": f"Give a label where its score > {threshold}",
    }
    return f"{rules[choice.kind]}: {threshold_errors(choice)}; {_value(choice)}."


def threshold_text(threshold: float) -> str:
    """Return a threshold with four decimals, or as many as it takes to tell it from 0 and 1."""
    return f"{threshold:.4f}" if 1e-3 <= threshold <= 1 - 1e-3 else f"{threshold:.12g}"


def threshold_errors(choice: Choice) -> str:
    """Return what goes wrong at the best threshold."""
    accepting, refusing = choice.best.by_accepting, choice.best.by_refusing
    words = {
        "good": ("bad parts escape", "good parts are rejected"),
        "look": ("answers stand though wrong", "are looked at"),
        "labels": ("absent labels are given", "labels are missed"),
    }[choice.kind]
    return f"{counted(accepting)} {words[0]}, {counted(refusing)} {words[1]}"


def counted(count: Count) -> str:
    """Return a count with what the share may really be at most and at least."""
    return f"{count.count:,} of {count.total:,} (95 %: {percent(count.least)} to {percent(count.most)})"


def _value(choice: Choice) -> str:
    best, today, apart = choice.best.value, choice.today.value, choice.held_out
    if not choice.by_cost:
        return f"F1 {best:.4f} instead of {today:.4f} today, {apart:.4f} on pictures that did not choose it"
    return (
        f"costs {best:,.4g} for 1,000 parts instead of {today:,.4g} today, "
        f"{apart:,.4g} on pictures that did not choose it"
    )


def _compared(first: Contender, other: Contender) -> str:
    pair = other.paired
    if pair is None:
        return ""
    speed = first.latency.p50_ms / other.latency.p50_ms
    pace = f"{speed:.2f} times as fast" if speed >= 1 else f"{1 / speed:.2f} times as slow"
    counts = f"right where {first.name} is wrong on {pair.better}, the other way round on {pair.worse}"
    verdict = "a real difference" if pair.chance < BELIEVABLE else "may be chance"
    return f"{other.name}: accuracy {pair.difference:+.4f}, {counts}, p = {pair.chance:.2g}, {verdict}; {pace}."
