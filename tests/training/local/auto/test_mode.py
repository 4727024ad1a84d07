"""AutoMode as a whole, on drawn pictures of 32 pixels: killed, gone on with, asked to end, proven, told of."""

import json
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from edge.bundle import open_bundle  # noqa: E402 - torch may be absent
from edge.proof import load_and_prove  # noqa: E402 - as above
from tests.training.local.auto.simulated import Silent  # noqa: E402 - as above
from tests.training.local.tiny import draw, multi_class, multi_label  # noqa: E402 - as above
from training.dataset.labelled import Labelled  # noqa: E402 - as above
from training.dataset.parts import Shares  # noqa: E402 - as above
from training.errors import BudgetError, DataError, ExportError, StorageError  # noqa: E402 - as above
from training.local.auto.finish import Target  # noqa: E402 - as above
from training.local.auto.mode import Wish, automode  # noqa: E402 - as above
from training.local.auto.search import Search, Trial, read_search, write_search  # noqa: E402 - as above
from training.local.bundling import Export  # noqa: E402 - as above


class Watcher(Silent):
    """Asks to end once so many epochs are done, or kills then."""

    def __init__(self, epochs: int, *, kill: bool = False) -> None:
        super().__init__()
        self._epochs = epochs
        self._kill = kill
        self._enough = False

    def progress(self, trial: Trial, share: float, spent: float) -> None:  # noqa: ARG002 - a port's signature
        self._enough = trial.epochs >= self._epochs
        if self._enough and self._kill:
            raise KeyboardInterrupt

    def asked(self) -> bool:
        return self._enough


def wish(budget: int = 600) -> Wish:
    return Wish(budget=budget, shares=Shares(0.2, 0.1, 0), threads=1, device="cpu", began=monotonic())


def target(folder: Path) -> Target:
    return Target(folder=folder / "auto", export=Export(name="tiny", version="1"), output=folder / "bundle")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Labelled:
    return multi_class(draw(tmp_path_factory.mktemp("data"), 48))


@pytest.fixture(scope="module")
def gone_on(data: Labelled, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Search, Search, Watcher]:
    """Return where a search was killed in its third epoch and gone on with, as it was then, as it ended, and heard."""
    place = tmp_path_factory.mktemp("auto")
    with pytest.raises(KeyboardInterrupt):
        automode(data, wish(), target(place), Watcher(2, kill=True))
    killed = read_search(place / "auto")
    assert killed is not None
    watcher = Watcher(4)
    found = automode(data, wish(), target(place), watcher, watcher.asked)
    return place, killed, found, watcher


def test_killed_and_started_again_it_goes_on(gone_on: tuple[Path, Search, Search, Watcher]) -> None:
    """With the same trial, and the time used before counts."""
    _, killed, found, watcher = gone_on
    assert killed.under_way is not None
    assert killed.spent > 0
    assert watcher.lines[0].startswith("going on after")
    assert not [line for line in watcher.lines if line.startswith("measuring")]
    assert [trial.number for trial in found.trials] == [1]
    assert 4 <= found.trials[0].epochs < found.trials[0].planned
    assert found.spent > killed.spent


def test_it_ends_with_a_proven_bundle(gone_on: tuple[Path, Search, Search, Watcher]) -> None:
    """The manifest says how it was chosen, and how it did on the pictures kept aside, at the edge."""
    place, _, found, _ = gone_on
    bundle = open_bundle(place / "bundle")
    _, proof = load_and_prove(bundle, device="cpu")
    assert proof.proven
    assert bundle.manifest.provenance["auto"]["trial"] == 1
    assert bundle.manifest.metrics["kept_aside"]["pictures"] == found.facts.test == 6
    assert bundle.manifest.metrics["held_out"]["pictures"] == found.facts.validation
    assert found.outcome is not None
    assert found.outcome.test == bundle.manifest.metrics["kept_aside"]


def test_its_story_is_true(gone_on: tuple[Path, Search, Search, Watcher]) -> None:
    """What was tried, how sure it is and why it stopped are there, for people and for programs."""
    place, _, found, _ = gone_on
    story = (place / "auto" / "story.md").read_text()
    told = json.loads((place / "auto" / "auto.json").read_text())
    assert told == json.loads(json.dumps(found.as_dict()))
    assert "It was asked to end." in story
    assert f"{found.trials[0].validation['accuracy']:.4f}" in story
    assert "That figure flatters" in story
    assert f"{found.outcome.test['right']} of 6 pictures kept aside" in story if found.outcome else False


def test_a_finished_one_is_told_of_again(gone_on: tuple[Path, Search, Search, Watcher], data: Labelled) -> None:
    """The same command does nothing more."""
    place, _, found, _ = gone_on
    assert automode(data, wish(), target(place), Watcher(1)) == found


def test_another_search_does_not_go_on_there(gone_on: tuple[Path, Search, Search, Watcher], data: Labelled) -> None:
    """Other pictures, another deal: refused with what is other; more time, but a taken place for the bundle: too."""
    place, _, _, _ = gone_on
    fewer = data.subset(range(40))
    with pytest.raises(DataError, match="other pictures"):
        automode(fewer, wish(), target(place), Watcher(1))
    with pytest.raises(DataError, match="other --seed; give another --folder"):
        automode(data, replace(wish(), shares=Shares(0.2, 0.1, 1)), target(place), Watcher(1))
    with pytest.raises(ExportError, match="exists and is not empty"):
        automode(data, wish(1200), target(place), Watcher(1))


def test_killed_after_the_export_it_takes_the_bundle_that_is_there(
    gone_on: tuple[Path, Search, Search, Watcher], data: Labelled
) -> None:
    """It is judged and told of, not made again."""
    place, _, found, _ = gone_on
    before = (place / "bundle" / "model.onnx").stat().st_mtime_ns
    unfinished = replace(found, outcome=None)
    write_search(place / "auto", unfinished)
    again = automode(data, wish(), target(place), Watcher(1))
    assert again.outcome == found.outcome
    assert (place / "bundle" / "model.onnx").stat().st_mtime_ns == before


def test_several_labels_a_picture(data: Labelled, tmp_path: Path) -> None:
    """Chosen by iou; what is judged is the bundle's own answer."""
    watcher = Watcher(12)
    labelled = multi_label(list(data.records))
    found = automode(labelled, wish(), target(tmp_path), watcher, watcher.asked)
    assert "iou" in found.trials[0].validation
    assert found.outcome is not None
    assert 0 <= found.outcome.test["iou"] <= 1


def test_too_little_time_names_the_least(data: Labelled, tmp_path: Path) -> None:
    """And leaves nothing that a larger budget would go on with."""
    with pytest.raises(BudgetError, match=r"give --budget \d+[sm] at least"):
        automode(data, wish(1), target(tmp_path), Watcher(1))
    assert read_search(tmp_path / "auto") is None


def test_a_class_of_too_few_is_named(tmp_path: Path) -> None:
    """One picture cannot be learnt from, chosen by and judged by."""
    records = draw(tmp_path / "data", 13)
    alone = [record for record in records if record.label != "Patches" or record.path.stem.endswith("1")]
    with pytest.raises(DataError, match=r"'Patches' has 1 picture.*at least 3 different ones"):
        automode(multi_class(alone), wish(), target(tmp_path), Watcher(1))


def test_two_do_not_search_in_one_folder(data: Labelled, tmp_path: Path) -> None:
    """The second one is told so at once."""

    class Second(Watcher):
        def progress(self, trial: Trial, share: float, spent: float) -> None:  # noqa: ARG002 - a port's signature
            with pytest.raises(StorageError, match="another search is at work"):
                automode(data, wish(), target(tmp_path), Watcher(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        automode(data, wish(), target(tmp_path), Second(1))
