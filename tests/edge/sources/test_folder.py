"""The watched folder: what is picked up, when, and what becomes of it."""

import os
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.errors import ModelNotReadyError, OverloadedError, SourceError, StoppingError
from edge.ports import Priority
from edge.results import Result
from edge.sources.folder import MAX_FILE_BYTES, After, WatchedFolder
from tests.edge.sources.emissions import Emissions, Steps, nothing


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder to watch."""
    path = tmp_path / "in"
    path.mkdir()
    return path


def watch(
    folder: Path, emit: Callable[..., Future[Result]], *steps: Callable[[], object], after: After = "keep"
) -> None:
    """Watch as a fresh process would, with ``steps`` between the polls, until the last has passed."""
    run = Steps(*steps)
    source = WatchedFolder("line", folder, journal=folder.parent / "journal", after=after, clock=run.clock)
    source.run(emit, run.stop)


def put(folder: Path, name: str, content: bytes = b"picture", *, age_s: float = 0.0) -> Path:
    file = folder / name
    file.write_bytes(content)
    moment = datetime(2026, 1, 1, tzinfo=UTC).timestamp() - age_s
    os.utime(file, (moment, moment))
    return file


def test_pictures_come_oldest_first_with_name_and_time(folder: Path) -> None:
    """Those that are there already count; equal times go by name."""
    for name, age_s in (("b.jpg", 0), ("c.PNG", 60), ("a.jpeg", 0)):
        put(folder, name, age_s=age_s)
    emit = Emissions()
    watch(folder, emit, nothing)
    assert emit.names == ["c.PNG", "a.jpeg", "b.jpg"]
    assert emit.frames[1].captured_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert (emit.frames[1].source, emit.frames[1].image) == ("line", b"picture")


@pytest.mark.parametrize("priority", [Priority.STREAM, Priority.TRIGGER])
def test_frames_have_the_priority_of_their_folder(folder: Path, priority: Priority) -> None:
    """Every one of them."""
    put(folder, "a.jpg")
    emit, run = Emissions(), Steps(nothing)
    WatchedFolder("line", folder, journal=folder.parent / "j", priority=priority, clock=run.clock).run(emit, run.stop)
    assert [frame.priority for frame in emit.frames] == [priority]


@pytest.mark.parametrize("name", ["notes.txt", ".hidden.jpg", "a.jpg.tmp", "a.jpg.part", "a.partial", "folder.jpg/"])
def test_what_is_no_picture_is_left_alone(folder: Path, name: str) -> None:
    """Other suffixes, hidden and unfinished files, folders."""
    (folder / name).mkdir() if name.endswith("/") else put(folder, name)
    emit = Emissions()
    watch(folder, emit, nothing, nothing)
    assert emit.frames == []


def test_a_file_that_grows_is_picked_up_when_it_is_whole(folder: Path) -> None:
    """It must look the same in two polls in a row."""
    emit = Emissions()
    watch(
        folder,
        emit,
        lambda: put(folder, "a.jpg", b"pic"),
        lambda: put(folder, "a.jpg", b"pictur"),
        lambda: put(folder, "a.jpg", b"picture"),
        lambda: emit.frames == [] or pytest.fail("picked up half-written"),
        nothing,
    )
    assert [frame.image for frame in emit.frames] == [b"picture"]


def test_an_empty_file_is_given_time_and_then_counts_as_bad(folder: Path) -> None:
    """Nothing stays without an answer for ever."""
    put(folder, "empty.jpg", b"")
    emit = Emissions()
    watch(folder, emit, *[nothing] * 10)
    assert emit.frames == []
    watch(folder, emit, *[nothing] * 25)
    assert emit.names == ["empty.jpg"]


def test_each_picture_once_even_after_a_restart(folder: Path) -> None:
    """The journal remembers; a new picture under an old name is new."""
    put(folder, "a.jpg")
    emit = Emissions()
    watch(folder, emit, nothing, nothing)
    watch(folder, emit, nothing, nothing)
    assert emit.names == ["a.jpg"]
    put(folder, "a.jpg", b"another one")
    watch(folder, emit, nothing)
    assert [frame.image for frame in emit.frames] == [b"picture", b"another one"]


def test_a_picture_whose_result_was_not_delivered_comes_again(folder: Path) -> None:
    """Only a delivered result marks it, however the process ends."""
    put(folder, "a.jpg")
    emit = Emissions(answering=False)

    def daemon_stops() -> None:
        emit.refusals = [StoppingError("stopping")]
        emit.futures[0].set_exception(StoppingError("stopping"))

    with pytest.raises(StoppingError):
        watch(folder, emit, nothing, daemon_stops)
    emit.answering = True
    watch(folder, emit, nothing)
    assert emit.names == ["a.jpg", "a.jpg"]


def test_answers_to_pictures_under_way_are_awaited_at_the_end(folder: Path) -> None:
    """What was handed in before the stop is marked, not done again."""
    put(folder, "a.jpg")
    emit = Emissions(answering=False)
    run = Steps(nothing)
    step = run.clock.on_wait

    def answer_at_the_end(timeout_s: float) -> None:
        step(timeout_s)
        if run.stop.is_set():
            emit.answer(0)

    run.clock.on_wait = answer_at_the_end
    WatchedFolder("line", folder, journal=folder.parent / "journal", clock=run.clock).run(emit, run.stop)
    watch(folder, emit, nothing)
    assert emit.names == ["a.jpg"]


def test_after_move_sorts_pictures_into_done_and_failed(folder: Path) -> None:
    """Names that exist there already get a number."""
    (folder / "done").mkdir()
    put(folder / "done", "a.jpg", b"earlier")
    put(folder, "a.jpg")
    put(folder, "b.jpg", b"bad")
    emit = Emissions()
    watch(folder, emit, nothing, nothing, after="move")
    assert sorted(str(f.relative_to(folder)) for f in folder.rglob("*.jpg")) == [
        "done/a-1.jpg",
        "done/a.jpg",
        "failed/b.jpg",
    ]
    assert len(emit.frames) == 2


def test_after_delete_keeps_only_what_failed(folder: Path) -> None:
    """A picture without a prediction is moved, not lost."""
    put(folder, "a.jpg")
    put(folder, "b.jpg", b"bad")
    watch(folder, Emissions(), nothing, nothing, after="delete")
    assert [str(f.relative_to(folder)) for f in folder.rglob("*.jpg")] == ["failed/b.jpg"]


def test_a_picture_replaced_before_its_answer_is_not_moved_unseen(folder: Path) -> None:
    """The new one gets its own answer first."""
    put(folder, "a.jpg")
    emit = Emissions(answering=False)

    def replace() -> None:
        put(folder, "a.jpg", b"another one")
        emit.answer(0)
        emit.answering = True

    watch(folder, emit, nothing, replace, nothing, nothing, after="move")
    assert [frame.image for frame in emit.frames] == [b"picture", b"another one"]
    assert (folder / "done" / "a.jpg").read_bytes() == b"another one"


@pytest.mark.parametrize("refusal", [OverloadedError("full", retry_after_s=0.5), ModelNotReadyError("none yet")])
def test_a_full_queue_is_waited_for(folder: Path, refusal: Exception) -> None:
    """Nothing is dropped."""
    put(folder, "a.jpg")
    emit = Emissions()
    emit.refusals = [refusal, refusal]
    watch(folder, emit, *[nothing] * 5)
    assert (emit.names, emit.refused) == (["a.jpg"], 2)


def test_a_stopping_daemon_ends_the_source(folder: Path) -> None:
    """The picture stays for the next start."""
    put(folder, "a.jpg")
    emit = Emissions()
    emit.refusals = [StoppingError("stopping")]
    with pytest.raises(StoppingError):
        watch(folder, emit, nothing)
    watch(folder, emit, nothing)
    assert emit.names == ["a.jpg"]


def test_many_pictures_are_handed_in_before_the_first_answer(folder: Path) -> None:
    """But not without bound: only so many are held in memory."""
    for number in range(40):
        put(folder, f"{number:02}.jpg")
    emit = Emissions(answering=False)
    run = Steps(nothing)
    source = WatchedFolder("line", folder, journal=folder.parent / "journal", poll_s=0.01, clock=run.clock)

    def emit_and_answer_late(*args: object) -> Future[Result]:
        future = emit(*args)  # type: ignore[arg-type]  # passed through
        if len(emit.frames) == 32:
            for index in range(32):
                emit.answer(index)
            emit.answering = True
        return future

    source.run(emit_and_answer_late, run.stop)
    assert len(emit.frames) == 40


def test_a_folder_that_vanishes_is_named_and_watched_again_when_it_is_back(folder: Path, tmp_path: Path) -> None:
    """The same source runs on: nothing comes twice."""
    put(folder, "a.jpg")
    emit, away = Emissions(), tmp_path / "away"
    run = Steps(nothing, lambda: folder.rename(away), nothing)
    source = WatchedFolder("line", folder, journal=tmp_path / "journal", clock=run.clock)
    with pytest.raises(SourceError, match=f"the watched folder {folder} cannot be read: No such file"):
        source.run(emit, run.stop)
    away.rename(folder)
    put(folder, "b.jpg")
    source.run(emit, run.stop)
    assert emit.names == ["a.jpg", "b.jpg"]


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    """A file in its place is told as such."""
    (tmp_path / "in").write_text("")
    with pytest.raises(SourceError, match="Not a directory"):
        watch(tmp_path / "in", Emissions())


def test_a_file_that_cannot_be_read_is_told_once_and_left(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Here one beyond all bounds; all others go on, and it gets another chance when it has changed."""
    huge = put(folder, "a.jpg")
    os.truncate(huge, MAX_FILE_BYTES + 1)
    put(folder, "b.jpg")
    emit = Emissions()
    watch(folder, emit, *[nothing] * 5, lambda: put(folder, "a.jpg"), nothing, nothing)
    assert emit.names == ["b.jpg", "a.jpg"]
    assert len(caplog.records) == 1


def test_a_journal_that_cannot_be_written_is_named_and_nothing_comes_twice(folder: Path, tmp_path: Path) -> None:
    """Once it can be written again, the answered picture is remembered without a second answer."""
    put(folder, "a.jpg")
    journal = tmp_path / "state" / "journal"
    (tmp_path / "state").write_text("in the way")
    emit, run = Emissions(), Steps(*[nothing] * 6)
    source = WatchedFolder("line", folder, journal=journal, clock=run.clock)
    with pytest.raises(SourceError, match=r"journal .* cannot be (read|written)"):
        source.run(emit, run.stop)
    (tmp_path / "state").unlink()
    source.run(emit, run.stop)
    assert emit.names == ["a.jpg"]
    assert "a.jpg" in journal.read_text()


def test_file_names_that_are_no_text_are_shown_escaped(folder: Path) -> None:
    """A result's name can always be written as JSON; the journal knows the file again."""
    put(folder, os.fsdecode(b"caf\xe9.jpg"))
    emit = Emissions()
    watch(folder, emit, nothing, nothing)
    watch(folder, emit, nothing, nothing)
    assert emit.names == [r"caf\xe9.jpg"]


def test_a_folder_cannot_capture(folder: Path) -> None:
    """It gives what is put into it."""
    assert not WatchedFolder("line", folder, journal=folder / "journal").capture()


def test_links_are_left_alone(folder: Path, tmp_path: Path) -> None:
    """Whoever may write into the folder must not have the daemon read or move what only it may; so is a pipe."""
    outside = tmp_path / "outside.jpg"
    outside.write_bytes(b"not for you")
    (folder / "link.jpg").symlink_to(outside)
    (folder / "dangling.jpg").symlink_to(tmp_path / "nothing")
    os.mkfifo(folder / "pipe.jpg")
    put(folder, "a.jpg")
    emit = Emissions()
    watch(folder, emit, nothing, nothing, after="delete")
    assert emit.names == ["a.jpg"]
    assert outside.exists()
    assert (folder / "link.jpg").is_symlink()
