"""Distances between two answers, figures of many, and what makes them differ."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.fakes import COLOURS, make_bundle, picture
from training.azure.compare import Compared, Distance, compare, distance, explain, summarise
from training.azure.edge_side import EdgeBundle
from training.azure.invoke import Answer
from training.azure.scoring import AnswerError, Prediction
from training.errors import AzureUnavailableError, UsageError


def said(selected: list[str] | None = None, **probs: float) -> Prediction:
    best = max(probs, key=probs.__getitem__)
    told = {"label": best, "score": probs[best], "labels": list(probs), "probs": list(probs.values())}
    return told if selected is None else {**told, "selected": selected}


@dataclass
class Edge:
    """An edge that says what it is told to."""

    prediction: Prediction | None = None
    others: Sequence[tuple[str, Prediction]] = field(default_factory=list)

    def predict(self, picture: bytes) -> Prediction:
        if self.prediction is None:
            raise AnswerError(f"the edge cannot use the picture: {len(picture)} bytes")
        return self.prediction

    def otherwise(self, picture: bytes) -> Iterator[tuple[str, Prediction]]:
        assert picture
        yield from self.others


def test_classes_are_compared_by_name() -> None:
    """The order of the labels does not matter; the largest and the mean difference are over all classes."""
    found = distance(said(a=0.7, b=0.2, c=0.1), said(c=0.1, b=0.3, a=0.6))
    assert found.largest == pytest.approx(0.1)
    assert found.mean == pytest.approx(0.2 / 3)
    assert found.label in ("a", "b")
    assert found.same_labels


def test_labels_of_several_are_compared_as_sets() -> None:
    """A multi-label model's labels are those over the threshold, not only the most probable one."""
    cloud = said(a=0.9, b=0.51)
    assert not distance(cloud, said(["a"], a=0.9, b=0.49)).same_labels
    assert distance(cloud, said(a=0.9, b=0.49)).same_labels


def test_what_is_no_classification_is_refused() -> None:
    """Boxes are shown, but not compared yet; other classes are another model."""
    with pytest.raises(UsageError, match="classification only"):
        distance({"boxes": []}, said(a=1.0))
    with pytest.raises(AnswerError, match=r"different classes \(b, c\)"):
        distance(said(a=0.5, b=0.5), said(a=0.5, c=0.5))


def test_all_pictures_are_summed_up() -> None:
    """What only one side answered differs; what neither answered does not."""
    one, other = said(a=0.6, b=0.4), said(a=0.4, b=0.6)
    found = [
        Compared(Path("1"), one, one, Distance(0.0, 0.0, "a", same_labels=True)),
        Compared(Path("2"), one, other, Distance(0.2, 0.2, "a", same_labels=False)),
        Compared(Path("3"), None, one, problem="the endpoint leaves it out"),
        Compared(Path("4"), None, None, problem="broken"),
    ]
    figures = summarise(found, 0.1)
    assert (figures.pictures, figures.compared, figures.unanswered) == (4, 2, 2)
    assert (figures.disagreements, figures.beyond) == (1, 2)
    assert figures.largest == 0.2
    assert figures.mean == pytest.approx(0.1)
    assert summarise(found[3:], 0.1).largest is None


def test_each_picture_is_asked_of_both(tmp_path: Path) -> None:
    """An error of either side, or a file that is gone, is told of that picture alone."""
    file = tmp_path / "a.png"
    file.write_bytes(b"12345")
    answers = [Answer(file, said(a=1.0, b=0.0)), Answer(file, error="left out"), Answer(tmp_path / "gone", said(a=1.0))]
    good, left_out, gone = compare(iter(answers), Edge(said(a=0.9, b=0.1)), 0.2)
    assert good.distance is not None
    assert good.reason is None
    assert left_out.problem == "left out"
    assert "cannot be read" in str(gone.problem)
    [refused] = compare(iter(answers[:1]), Edge(), 0.2)
    assert refused.problem == "the edge cannot use the picture: 5 bytes"


def test_an_edge_that_goes_takes_no_answers_along(tmp_path: Path) -> None:
    """Silence ends it at the first picture; later it is told of each, and what was compared is kept."""
    file = tmp_path / "a.png"
    file.write_bytes(b"12345")

    class Gone(Edge):
        left = 1

        def predict(self, picture: bytes) -> Prediction:
            self.left -= 1
            if self.left < 0:
                raise AzureUnavailableError("http://press-1:8080 does not answer")
            return super().predict(picture)

    answers = [Answer(file, said(a=1.0))] * 3
    compared = list(compare(iter(answers), Gone(said(a=1.0)), 0.2))
    assert [one.problem for one in compared] == [None, *["http://press-1:8080 does not answer"] * 2]
    assert [one.beyond(0.2) for one in compared] == [False, True, True]
    silent = Gone(said(a=1.0))
    silent.left = 0
    with pytest.raises(AzureUnavailableError):
        list(compare(iter(answers), silent, 0.2))


def test_a_reason_is_what_makes_the_edge_say_the_same() -> None:
    """The first known difference under which both agree is named."""
    cloud, away = said(a=0.9, b=0.1), said(a=0.5, b=0.5)
    edge = Edge(away, [("it squashed", away), ("it turned", cloud), ("it did nothing", cloud)])
    assert explain(b"picture", cloud, edge, 0.02) == "the endpoint answers as if it turned"
    assert "no known difference explains it" in explain(b"picture", cloud, Edge(away), 0.02)
    assert "EXIF orientation" in explain(turned_jpeg(), cloud, Edge(away), 0.02)


def turned_jpeg() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = BytesIO()
    Image.fromarray(picture(COLOURS["red"], sides=COLOURS["blue"])).save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def test_a_bundle_is_run_otherwise_too(tmp_path: Path) -> None:
    """The other resize rule, no border and EXIF's orientation are tried with the very same graph."""
    edge = EdgeBundle(make_bundle(tmp_path / "bundle"))
    data = turned_jpeg()
    tried = dict(edge.otherwise(data))
    assert edge.predict(data)["label"] == "red"
    assert len(tried) == 3
    square = next(words for words in tried if "square" in words)
    assert distance(edge.predict(data), tried[square]).largest > 0.1
    turned = next(words for words in tried if "EXIF" in words)
    assert tried[turned]["label"] == "red"
    with pytest.raises(AnswerError, match="cannot use the picture"):
        edge.predict(b"no picture")
