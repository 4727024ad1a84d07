"""Finding pictures in order, and answering them in order."""

from collections.abc import Iterable
from concurrent.futures import Future
from pathlib import Path

import pytest

from edge.cli.pictures import Picture, answers, find
from edge.errors import ImageDecodeError, ModelNotReadyError, OverloadedError
from edge.ports import Model, Priority
from edge.predictor import Image
from edge.results import Classification, Failure, ModelRef, Outcome, Timing


class LateExecutor:
    """Answers only when its queue is full or the end is near, newest first, so that nothing is in order by itself."""

    model: Model | None = None
    shape = "late"

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.waiting: list[tuple[Image, Future[Outcome]]] = []
        self.most_waiting = 0

    @property
    def queued(self) -> int:
        return len(self.waiting)

    def submit(self, image: Image, **_: object) -> Future[Outcome]:
        if image == b"not ready":
            raise ModelNotReadyError("no model")
        if len(self.waiting) >= self.capacity:
            self.answer_all()
            raise OverloadedError("full")
        future: Future[Outcome] = Impatient(self)
        self.waiting.append((image, future))
        self.most_waiting = max(self.most_waiting, len(self.waiting))
        return future

    def full(self, priority: Priority) -> float | None:  # noqa: ARG002 - the port's
        return None if len(self.waiting) < self.capacity else 1.0

    def answer_all(self) -> None:
        while self.waiting:
            image, future = self.waiting.pop()
            if image == b"bad":
                future.set_exception(ImageDecodeError("no picture"))
            else:
                future.set_result(outcome(str(image)))

    def swap(self, model: Model, *, timeout_s: float = 30.0) -> bool:  # noqa: ARG002 - the port's
        return True

    def close(self, *, timeout_s: float = 10.0) -> None:
        pass


class Impatient(Future[Outcome]):
    """A future that is answered when somebody waits for it."""

    def __init__(self, executor: LateExecutor) -> None:
        super().__init__()
        self.executor = executor

    def result(self, timeout: float | None = None) -> Outcome:
        self.executor.answer_all()
        return super().result(timeout)


def outcome(label: str) -> Outcome:
    prediction = Classification(label, 1.0, (label,), (1.0,))
    return Outcome(prediction, ModelRef("m", "1"), "FakeExecutionProvider", Timing())


def texts(found: Iterable[Picture], below: Path) -> list[str]:
    return [picture.text.replace(str(below), "BELOW") for picture in found]


def test_folders_are_walked_in_order_of_names(pictures: Path) -> None:
    """Suffixes count in any case; hidden files and files that are no pictures are left out."""
    assert texts(find([str(pictures)]), pictures) == [
        "BELOW/blue.png",
        "BELOW/bright.png",
        "BELOW/dark.png",
        "BELOW/deep/red.JPG",
        "BELOW/red.png",
    ]


def test_folders_below_can_be_left_out(pictures: Path) -> None:
    """Without recursion only the folder's own pictures come."""
    assert "BELOW/deep/red.JPG" not in texts(find([str(pictures)], recursive=False), pictures)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("parts", "parts/blue.png"),
        ("./parts/", "./parts/blue.png"),
        ("../parts/../parts", "../parts/../parts/blue.png"),
    ],
)
def test_paths_are_as_typed(pictures: Path, monkeypatch: pytest.MonkeyPatch, typed: str, expected: str) -> None:
    """The argument is joined with the path below it, not tidied up."""
    monkeypatch.chdir(pictures.parent)
    typed = typed.replace("../parts/..", f"../{pictures.parent.name}")
    expected = expected.replace("../parts/..", f"../{pictures.parent.name}")
    assert next(find([typed])).text == expected


def test_a_file_that_is_given_is_always_tried(pictures: Path) -> None:
    """Whatever its suffix; and twice where it is given twice."""
    notes = str(pictures / "notes.txt")
    assert texts(find([notes, notes]), pictures) == ["BELOW/notes.txt"] * 2


def test_links_between_folders_do_not_trap(pictures: Path) -> None:
    """A folder behind a link is left out; a linked picture is not."""
    (pictures / "loop").symlink_to(pictures)
    (pictures / "link.png").symlink_to(pictures / "red.png")
    found = texts(find([str(pictures)]), pictures)
    assert "BELOW/link.png" in found
    assert len(found) == 6


def test_names_that_are_no_text_become_text(tmp_path: Path) -> None:
    """A name that is not UTF-8 is shown with escapes, and its file can still be read."""
    (tmp_path / "b\udcff.png").write_bytes(b"x")
    (found,) = find([str(tmp_path)])
    assert found.text == f"{tmp_path}/b\\xff.png"
    assert found.file.read_bytes() == b"x"


def test_answers_come_in_order_through_a_small_queue(tmp_path: Path) -> None:
    """Every picture gets its own answer, in order, however many there are and however late they are answered."""
    files = [tmp_path / f"{number:03}" for number in range(50)]
    for file in files:
        file.write_bytes(file.name.encode())
    executor = LateExecutor(capacity=4)
    found = list(answers((Picture(file.name, file) for file in files), executor))
    assert [answer.picture.text for answer in found] == [file.name for file in files]
    assert [answer.prediction for answer in found] == [outcome(str(file.name.encode())).prediction for file in files]
    assert executor.most_waiting == 4


def test_a_bad_picture_fails_in_its_own_place(tmp_path: Path) -> None:
    """Pictures that are none, and files that cannot be read, are failures between the others' answers."""
    for name in ("a", "bad", "z"):
        (tmp_path / name).write_bytes(name.encode())
    names = ["a", "bad", "gone", "z", "."]
    found = list(answers((Picture(name, tmp_path / name) for name in names), LateExecutor(8)))
    kinds = [answer.prediction.kind if isinstance(answer.prediction, Failure) else "" for answer in found]
    assert kinds == ["", "ImageDecodeError", "SourceError", "", "SourceError"]
    assert found[2].prediction == Failure("SourceError", "the file cannot be read: No such file or directory")


def test_what_no_picture_is_to_blame_for_is_raised(tmp_path: Path) -> None:
    """Without a model there are no rows that pretend to be about pictures."""
    (tmp_path / "a").write_bytes(b"not ready")
    with pytest.raises(ModelNotReadyError):
        list(answers([Picture("a", tmp_path / "a")], LateExecutor(8)))
