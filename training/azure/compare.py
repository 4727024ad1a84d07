"""How far apart two answers to the same picture are, and why. Nothing is asked here but through what is handed in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.azure.edge_side import EdgeSide
from training.azure.invoke import Answer
from training.azure.orientation import UPRIGHT, orientation_of
from training.azure.scoring import AnswerError, Prediction
from training.dataset.records import read_bytes
from training.errors import AzureUnavailableError, DataError, UsageError

MULTILABEL_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True)
class Distance:
    """How far apart two sets of probabilities are, 0..1; ``label`` is the class that differs most."""

    largest: float
    mean: float
    label: str
    same_labels: bool


@dataclass(frozen=True, slots=True)
class Compared:
    """One picture on both sides. ``distance`` is None where a side gave no answer, which ``problem`` tells."""

    picture: Path
    cloud: Prediction | None
    edge: Prediction | None
    distance: Distance | None = None
    problem: str | None = None
    reason: str | None = None

    def beyond(self, tolerance: float) -> bool:
        """Tell whether the sides differ by more than that; a picture that only one of them answers always does."""
        if self.distance is None:
            return (self.cloud is None) != (self.edge is None) or self.cloud is not None
        return self.distance.largest > tolerance

    def as_json(self) -> dict[str, Any]:
        """Return what programs read."""
        told: dict[str, Any] = {"path": str(self.picture), "endpoint": self.cloud, "edge": self.edge}
        if self.distance:
            told |= {
                "max_difference": self.distance.largest,
                "mean_difference": self.distance.mean,
                "most_different": self.distance.label,
                "same_labels": self.distance.same_labels,
            }
        return told | {key: text for key, text in (("problem", self.problem), ("reason", self.reason)) if text}


@dataclass(frozen=True, slots=True)
class Summary:
    """All pictures together. ``largest`` and ``mean`` are None where no picture was answered by both."""

    pictures: int
    compared: int
    unanswered: int
    disagreements: int
    beyond: int
    largest: float | None
    mean: float | None


def summarise(found: Sequence[Compared], tolerance: float) -> Summary:
    """Return the figures of all pictures."""
    distances = [one.distance for one in found if one.distance]
    return Summary(
        pictures=len(found),
        compared=len(distances),
        unanswered=sum(one.problem is not None for one in found),
        disagreements=sum(not distance.same_labels for distance in distances),
        beyond=sum(one.beyond(tolerance) for one in found),
        largest=max((distance.largest for distance in distances), default=None),
        mean=sum(distance.mean for distance in distances) / len(distances) if distances else None,
    )


def distance(cloud: Prediction, edge: Prediction) -> Distance:
    """Return how far apart two classifications are, class by class, whatever their order.

    Raises AnswerError where they do not know the same classes, UsageError where one is no classification.
    """
    if "probs" not in cloud or "probs" not in edge:
        raise UsageError("compare knows classification only; 'automl-train azure invoke' shows boxes")
    one, other = _by_label(cloud), _by_label(edge)
    if set(one) != set(other):
        odd = ", ".join(sorted(set(one) ^ set(other)))
        raise AnswerError(f"the sides know different classes ({odd}): is it the same model?")
    apart = {label: abs(one[label] - other[label]) for label in one}
    worst = max(apart, key=apart.__getitem__)
    multilabel = edge.get("selected") is not None
    same = _chosen(one, multilabel=multilabel) == _chosen(other, multilabel=multilabel)
    return Distance(apart[worst], sum(apart.values()) / len(apart), worst, same)


def _by_label(prediction: Prediction) -> Mapping[str, float]:
    return dict(zip(prediction["labels"], prediction["probs"], strict=True))


def _chosen(probs: Mapping[str, float], *, multilabel: bool) -> frozenset[str]:
    if multilabel:
        return frozenset(label for label, prob in probs.items() if prob > MULTILABEL_THRESHOLD)
    return frozenset((max(probs, key=probs.__getitem__),))


def compare(answers: Iterator[Answer], edge: EdgeSide, tolerance: float) -> Iterator[Compared]:
    """Yield each picture with what both sides say; reasons are looked for where they differ by more than that.

    Raises AzureUnavailableError where the edge does not answer for the first; later that is told of the picture.
    """
    for number, answer in enumerate(answers):
        try:
            picture = read_bytes(answer.picture)
            found: Prediction | None = edge.predict(picture)
            wrong = None
        except (AnswerError, DataError) as error:
            found, wrong = None, str(error)
        except AzureUnavailableError as error:
            if number == 0:
                raise
            found, wrong = None, str(error)
        if answer.prediction is None or found is None:
            problem = "; ".join(text for text in (answer.error, wrong) if text)
            yield Compared(answer.picture, answer.prediction, found, problem=problem)
        else:
            yield _together(answer.picture, picture, answer.prediction, found, edge, tolerance)


def _together(
    path: Path, picture: bytes, cloud: Prediction, found: Prediction, edge: EdgeSide, tolerance: float
) -> Compared:
    try:
        apart = distance(cloud, found)
    except AnswerError as error:
        return Compared(path, cloud, found, problem=str(error))
    why = explain(picture, cloud, edge, tolerance) if apart.largest > tolerance else None
    return Compared(path, cloud, found, apart, reason=why)


def explain(picture: bytes, cloud: Prediction, edge: EdgeSide, tolerance: float) -> str:
    """Return why the sides may differ: what makes the edge say the same, tried out, else what is known to differ."""
    for words, prediction in edge.otherwise(picture):
        if distance(cloud, prediction).largest <= tolerance:
            return f"the endpoint answers as if {words}"
    if orientation_of(picture) != UPRIGHT:
        return "the picture has an EXIF orientation, which the edge does not apply; does the endpoint?"
    return "no known difference explains it: is it the same model and version on both sides?"
