"""Answers made by hand, for tests of what is figured from answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle import MULTILABEL
from edge.postprocess.classification import sigmoid, softmax
from training.answers import Answers
from training.comparison import Contender, Latency
from training.dataset.records import Record
from training.judgement import Circumstances, Judgement, judge_answers
from training.thresholds import Prices, choose_threshold


def answers_of(logits: Any, true: Sequence[int], labels: Sequence[str] = ()) -> Answers:
    """Return a multi-class model's answers: logits [N, C] and what the pictures show."""
    values = np.asarray(logits, np.float32)
    names = tuple(labels) or tuple("abcdefgh"[: values.shape[1]])
    records = tuple(Record(Path(f"{number}.png"), (names[index],)) for number, index in enumerate(true))
    flags = np.eye(len(names), dtype=np.bool_)
    probs = softmax(values)
    selected = flags[probs.argmax(axis=1)]
    return Answers("image-classification", names, records, flags[np.asarray(true)], values, probs, selected)


def multilabel_answers(logits: Any, true: Any, threshold: float = 0.5) -> Answers:
    """Return a multi-label model's answers: logits and flags [N, C]."""
    values, flags = np.asarray(logits, np.float32), np.asarray(true, np.bool_)
    names = tuple("abcdefgh"[: values.shape[1]])
    shown = [tuple(name for name, there in zip(names, row, strict=True) if there) for row in flags]
    records = tuple(Record(Path(f"{number}.png"), some) for number, some in enumerate(shown))
    probs = sigmoid(values)
    return Answers(MULTILABEL, names, records, flags, values, probs, probs > threshold, threshold)


def judgement_of(answers: Answers, prices: Prices = Prices(), **rest: Any) -> Judgement:
    """Return what would be told of these answers, had a bundle given them."""
    right, pictures = int(answers.right.sum()), len(answers.records)
    latency = Latency(1.5, 2.5, 40)
    first = Contender("made:1", "0" * 64, "CPUExecutionProvider", 3_000_000, pictures, right, latency)
    about = Circumstances(
        bundle="made:1",
        digest="0" * 64,
        proven=True,
        provider="CPUExecutionProvider",
        machine="Linux x86_64, 2 cores",
        versions={"onnxruntime": "1.0"},
        data_sha256="1" * 64,
        trained_on_these=False,
        judged_at="2026-01-01T00:00:00.000Z",
    )
    given = {"left_out": [], "contenders": [first], **rest}
    return judge_answers(
        answers, circumstances=about, choice=choose_threshold(answers, prices), latency=latency, **given
    )
