"""A bundle's answers to labelled pictures, on all cores and in their order."""

from pathlib import Path

import numpy as np
import pytest

from edge.bundle import open_bundle
from edge.errors import InferenceError
from edge.proof import load_and_prove
from tests.fakes import COLOURS, GraphOptions, encoded, make_bundle, picture
from training.dataset.records import Record
from training.errors import DataError
from training.judge import answer_records, check_classes, evaluate_bundle


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """Thirty pictures, the class changing from each to the next."""
    folder = tmp_path_factory.mktemp("pictures")
    names = [list(COLOURS)[number % len(COLOURS)] for number in range(30)]
    for number, name in enumerate(names):
        (folder / f"{number}.png").write_bytes(encoded(picture(COLOURS[name])))
    return [Record(folder / f"{number}.png", (name,)) for number, name in enumerate(names)]


@pytest.mark.parametrize("batch", ["batch", 1, 7])
def test_answers_are_in_the_order_of_the_pictures(batch: str | int, records: list[Record], tmp_path: Path) -> None:
    """Whichever core or batch a picture went through, its answer stands in its row, with the edge's probabilities."""
    bundle = open_bundle(make_bundle(tmp_path, graph=GraphOptions(batch=batch)))
    model, _ = load_and_prove(bundle, device="cpu")
    seen: list[int] = []
    answers, unreadable = answer_records(bundle, model, records, seen.append)
    assert not unreadable
    assert answers.records == tuple(records)
    assert answers.right.all()
    assert seen == list(range(1, 31))
    golden = {one.expected.labels[0]: one.expected.probs for one in bundle.manifest.golden}
    for record, probs in zip(answers.records, answers.probs, strict=True):
        assert probs == pytest.approx(golden[record.label], abs=1e-5)
    assert np.isfinite(answers.logits).all()


def test_unreadable_pictures_stand_aside(records: list[Record], tmp_path: Path) -> None:
    """One that is no picture and one that is not there are told of; the rows of the others stay right."""
    bundle = open_bundle(make_bundle(tmp_path / "1", graph=GraphOptions(batch=7)))
    model, _ = load_and_prove(bundle, device="cpu")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    wrong = [Record(tmp_path / "broken.png", ("red",)), Record(tmp_path / "missing.png", ("red",))]
    answers, unreadable = answer_records(bundle, model, [*records[:5], *wrong, *records[5:9]], lambda _: None)
    assert [one.record for one in unreadable] == wrong
    assert "No such file" in unreadable[1].reason
    assert answers.records == tuple(records[:9])
    assert answers.right.all()


@pytest.mark.parametrize(("batch", "more"), [("batch", ": the model failed"), (2, " or one of the 1 after it: ")])
def test_the_picture_that_a_graph_fails_on_is_named(batch: str | int, more: str, tmp_path: Path) -> None:
    """Among many others nobody would find it."""
    bundle = open_bundle(make_bundle(tmp_path / "1", golden=False, graph=GraphOptions(batch=batch, brittle=True)))
    model, _ = load_and_prove(bundle, device="cpu")
    (tmp_path / "white.png").write_bytes(encoded(picture((255, 255, 255))))
    records = [Record(tmp_path / "white.png", ("bright",))] * 2
    with pytest.raises(InferenceError, match=f"white.png{more}"):
        answer_records(bundle, model, records, lambda _: None)


def test_many_faults_are_named_in_part(tmp_path: Path) -> None:
    """The first few, and how many more."""
    bundle = open_bundle(make_bundle(tmp_path / "1"))
    foreign = [Record(tmp_path / "x.png", (f"class {number}",)) for number in range(9)]
    with pytest.raises(DataError, match=r"'class 4' and 4 more, which colours:1 does not know; it knows blue"):
        check_classes(bundle, foreign)
    missing = [Record(tmp_path / f"{number}.png", ("red",)) for number in range(9)]
    with pytest.raises(DataError, match=r"4\.png: cannot be read .*; and 4 more; replace or remove them"):
        evaluate_bundle(bundle, missing, lambda _: None)
