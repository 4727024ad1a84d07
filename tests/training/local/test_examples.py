"""Pictures as the trainer holds them: decoded once where memory allows, labelled as the task wants."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tests.training.local.tiny import draw  # noqa: E402 - torch may be absent
from training.dataset.annotations import MULTILABEL  # noqa: E402 - as above
from training.dataset.records import Record, classes_of  # noqa: E402 - as above
from training.errors import DataError  # noqa: E402 - as above
from training.local.examples import Store, from_tensors, load  # noqa: E402 - as above

ONE = 3 * 32 * 32
"""Bytes of a picture of 32 pixels."""


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    return draw(tmp_path_factory.mktemp("data"), 12)


def test_no_more_is_kept_than_memory_allows(records: list[Record]) -> None:
    """What does not fit is decoded anew each time, and is the same picture."""
    ample, scarce = Store(records, 32, 1e9), Store(records, 32, 3.5 * ONE)
    for _ in range(2):
        pairs = zip(ample.pictures(), scarce.pictures(), strict=True)
        assert all(torch.equal(one, other) for one, other in pairs)
    assert (ample.kept, scarce.kept) == (12, 3)
    assert ample.picture(0) is ample.picture(0)
    assert scarce.picture(5) is not scarce.picture(5)


def test_a_collection_larger_than_memory_can_be_used(records: list[Record]) -> None:
    """Nothing kept: subsets, slices and joins work as with everything kept."""
    classes, said = classes_of(records), list[str]()
    held, read = (load(records, classes, 16, most_bytes=most, threads=2, say=said.append) for most in (1e9, 0))
    assert said == ["0 of 12 pictures fit into memory; the others are decoded anew whenever they are used"]
    for one, other in ((held.subset([3, 1]), read.subset([3, 1])), (held.joined(held), read.joined(held))):
        assert torch.equal(torch.stack(list(one.pictures)), torch.stack(list(other.pictures)))
        assert torch.equal(one.labels, other.labels)
    assert len(read.pictures[4:7]) == 3


def test_reading_is_told(records: list[Record]) -> None:
    """Each picture is counted, in turn."""
    heard: list[tuple[int, int]] = []
    load(records, classes_of(records), 32, threads=2, told=lambda done, total: heard.append((done, total)))
    assert heard == [(done, 12) for done in range(1, 13)]


def test_several_labels_are_zeros_and_ones() -> None:
    """A picture may show several classes, or none."""
    path = Path(__file__).parents[3] / "models/metal-surface-defects/1/golden"
    picture = next(iter(sorted(path.iterdir())))
    told = [Record(picture, ("a", "c")), Record(picture, ()), Record(picture, ("b",))]
    examples = load(told, ["a", "b", "c"], 32, MULTILABEL)
    assert examples.labels.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert examples.labels.dtype == torch.float32


def test_an_unreadable_picture_is_named_at_once(records: list[Record], tmp_path: Path) -> None:
    """Also where nothing is kept: the first bad one ends the reading."""
    broken = tmp_path / "broken.png"
    broken.write_bytes(records[0].path.read_bytes()[:90])
    with pytest.raises(DataError, match=r"broken\.png.*replace or remove it"):
        load([*records, Record(broken, records[0].labels)], classes_of(records), 32, most_bytes=0)


def test_large_pictures_are_reduced_in_their_own_shape() -> None:
    """The shorter side becomes what is wanted, small ones stay."""
    examples = from_tensors([torch.zeros(3, 8, 9, dtype=torch.uint8)], torch.tensor([0]))
    assert examples.pictures[0].shape == (3, 8, 9)
