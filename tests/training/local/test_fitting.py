"""What a fit is given, and how it ends: by its epochs, early, or because it went wrong."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from tests.training.local.tiny import draw, multi_class, multi_label, recipe, tiny_run  # noqa: E402 - torch may be absent
from training.dataset.annotations import MULTICLASS, MULTILABEL  # noqa: E402 - as above
from training.dataset.labelled import Labelled  # noqa: E402 - as above
from training.dataset.records import Record  # noqa: E402 - as above
from training.errors import DataError, DivergenceError, UsageError  # noqa: E402 - as above
from training.local.fit import fit_run, prepare_run  # noqa: E402 - as above
from training.local.run import read_run  # noqa: E402 - as above
from training.local.weights import load_network  # noqa: E402 - as above


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return draw(tmp_path_factory.mktemp("data"))


def prepared(data: Labelled, **rest: Any) -> Any:
    return prepare_run(data, recipe(task=data.task), threads=1, **rest)


def test_a_share_of_each_class_is_held_out(records: list[Record]) -> None:
    """None is in both; the same seed holds out the same."""
    run = prepared(multi_class(records), validation_data_size=0.25)
    assert (len(run.training), len(run.held_out)) == (18, 6)
    assert {record.label for record in run.held_out} == set(run.classes)
    assert set(run.training).isdisjoint(run.held_out)
    assert prepared(multi_class(records), validation_data_size=0.25) == run
    assert all(record.path.is_absolute() for record in run.records)


def test_nothing_is_held_out_where_nothing_shall_be(records: list[Record], tmp_path: Path) -> None:
    """The last epoch is kept then."""
    run = prepare_run(multi_class(records), recipe(number_of_epochs=2), validation_data_size=0, threads=1)
    fitted = fit_run(run, tmp_path, lambda _: None)
    assert (run.held_out, fitted.best.epoch, dict(fitted.best.validation)) == ((), 2, {})


def test_pictures_of_their_own_may_be_held_out(records: list[Record]) -> None:
    """Then all of the data is trained on; classes that it does not show are refused."""
    data, others = multi_class(records[::2]), multi_class(records[1::2])
    run = prepared(data, validation=others)
    assert (run.training, run.held_out, run.validation_data_size) == (data.records, others.records, 0)
    strange = Labelled(MULTICLASS, ("Rust",), (Record(records[0].path, ("Rust",)),))
    with pytest.raises(DataError, match="the validation pictures show 'Rust', which no picture to train on shows"):
        prepared(data, validation=strange)


def test_unusable_classes_are_named(records: list[Record]) -> None:
    """One class, none, or one with a single picture: what it is, and what to do."""
    rolled = [record for record in records if record.label == "Rolled"]
    with pytest.raises(DataError, match="only class 'Rolled'; a classifier needs at least two"):
        prepared(multi_class(rolled))
    with pytest.raises(DataError, match="no labelled pictures"):
        prepared(multi_class([]))
    with pytest.raises(DataError, match="no class; a classifier"):
        prepared(Labelled(MULTILABEL, (), (Record(records[0].path, ()),)))
    lonely = multi_class([*records, Record(records[0].path, ("Lonely",))])
    with pytest.raises(DataError, match=r"class 'Lonely' has one picture.*add pictures to it, remove the class"):
        prepared(lonely)
    assert prepared(lonely, validation_data_size=0).classes[2] == "Lonely"


def test_several_labels_are_trained_and_judged(records: list[Record], tmp_path: Path) -> None:
    """A picture may have no label; the figures have AutoML's names for the task; weights by class count too."""
    data = multi_label(records)
    chosen = recipe(task=MULTILABEL, number_of_epochs=2, weighted_loss=2, rest={"mirrored": True, "standardised": True})
    run = prepare_run(data, chosen, validation_data_size=0.25, threads=1)
    fitted = fit_run(run, tmp_path, lambda _: None)
    assert sorted(fitted.best.validation) == ["iou", "log_loss"]
    assert read_run(tmp_path) == run
    network = load_network(tmp_path, run)
    with torch.no_grad():
        assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_a_fit_that_gets_no_better_ends_early(records: list[Record], tmp_path: Path) -> None:
    """With a rate at which nothing is learnt, patience is all that counts."""
    run = tiny_run(
        records,
        number_of_epochs=9,
        learning_rate=1e-9,
        early_stopping=1,
        early_stopping_patience=1,
        early_stopping_delay=1,
    )
    fitted = fit_run(run, tmp_path, lambda _: None)
    assert (fitted.how, len(fitted.epochs)) == ("early", 2)


def test_a_fit_that_diverges_keeps_its_last_good_weights(records: list[Record], tmp_path: Path) -> None:
    """Adam without memory of how large gradients are, at the highest rate: the weights of epoch 1 can be exported."""
    steep: dict[str, Any] = {"optimizer": "adam", "learning_rate": 1.0, "beta1": 0.9999, "beta2": 0.0}
    run = tiny_run(records, number_of_epochs=6, training_batch_size=4, warmup_cosine_lr_warmup_epochs=0, **steep)
    told = r"no number.* in epoch 2; set a lower learning_rate \(now 1\); the weights of epoch 1 are kept: automl-train"
    for _ in range(2):  # the same command again says the same
        with pytest.raises(DivergenceError, match=told):
            fit_run(run, tmp_path, lambda _: None, say=lambda _: None)
    assert all(torch.isfinite(value).all() for value in load_network(tmp_path, run).state_dict().values())


def test_a_gpu_that_is_not_there_is_said(records: list[Record], tmp_path: Path) -> None:
    """Only where it is asked for by name; otherwise the CPU trains."""
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    with pytest.raises(UsageError, match=r"no GPU: torch sees none; check nvidia-smi"):
        fit_run(tiny_run(records), tmp_path, lambda _: None, device="gpu")
