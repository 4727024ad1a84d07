"""Pictures and videos played at a rate."""

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.errors import ModelNotReadyError, OverloadedError, SourceError
from edge.ports import Priority
from edge.sources.playback import Playback
from tests.edge.sources.emissions import Emissions, SteppedClock, Steps, nothing


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with four pictures, one of them below, and things that are none."""
    for name in ("b.jpg", "a.png", "below/c.jpg", "d.bmp", "notes.txt", ".hidden.jpg"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(name.encode())
    return tmp_path


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Three frames: red, green, blue."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (32, 16))
    for channel in (2, 1, 0):
        frame = np.zeros((16, 32, 3), np.uint8)
        frame[:, :, channel] = 255
        writer.write(frame)
    writer.release()
    return path


def play(path: Path, emit: Emissions, *, fps: float = 1.0, shuffle_seed: int | None = None) -> SteppedClock:
    """Play once, to the end."""
    clock = SteppedClock()
    Playback("feed", path, fps=fps, shuffle_seed=shuffle_seed, clock=clock).run(emit, threading.Event())
    return clock


def test_pictures_of_a_folder_come_in_the_order_of_their_paths(pictures: Path) -> None:
    """Folders below count, hidden files do not."""
    emit = Emissions()
    play(pictures, emit)
    assert emit.names == ["a.png", "b.jpg", "below/c.jpg", "d.bmp"]
    assert emit.frames[0].image == b"a.png"


def test_shuffled_pictures_come_in_an_order_fixed_by_the_seed(pictures: Path) -> None:
    """The same seed is the same order, another seed another one."""
    first, again, other = Emissions(), Emissions(), Emissions()
    play(pictures, first, shuffle_seed=1)
    play(pictures, again, shuffle_seed=1)
    play(pictures, other, shuffle_seed=2)
    assert first.names == again.names != other.names
    assert sorted(map(str, first.names)) == sorted(map(str, other.names))


def test_a_video_gives_its_frames_in_rgb(video: Path) -> None:
    """Red is the first channel; names count the frames."""
    emit = Emissions()
    play(video, emit)
    assert emit.names == ["clip.avi#1", "clip.avi#2", "clip.avi#3"]
    for frame, channel in zip(emit.frames, range(3), strict=True):
        assert isinstance(frame.image, np.ndarray)
        assert frame.image.shape == (16, 32, 3)
        assert frame.image.mean(axis=(0, 1)).argmax() == channel


def test_frames_are_paced(pictures: Path) -> None:
    """Four frames at two a second take one and a half seconds."""
    clock = play(pictures, Emissions(), fps=2.0)
    assert clock.time_s == pytest.approx(1.5)


def test_a_loop_plays_until_it_is_stopped(video: Path) -> None:
    """The first follows the last."""
    emit, run = Emissions(), Steps(*[nothing] * 6)
    Playback("feed", video, fps=10, loop=True, clock=run.clock).run(emit, run.stop)
    assert emit.names[:5] == ["clip.avi#1", "clip.avi#2", "clip.avi#3", "clip.avi#1", "clip.avi#2"]


def test_what_finds_no_room_is_dropped_and_counted(pictures: Path) -> None:
    """A live feed does not wait."""
    emit = Emissions()
    emit.refusals = [OverloadedError("full", retry_after_s=60), ModelNotReadyError("none yet")]
    source = Playback("feed", pictures, fps=1, clock=SteppedClock())
    source.run(emit, threading.Event())
    assert (source.dropped, emit.names) == (2, ["below/c.jpg", "d.bmp"])


def test_a_capture_takes_the_next_frame_out_of_turn(pictures: Path) -> None:
    """However slow the rate, and as a trigger; before and after playing there is nothing to take."""
    emit = Emissions()
    run = Steps()
    source = Playback("feed", pictures, fps=0.001, clock=run.clock)
    asked: list[bool] = [source.capture()]
    run.clock.on_wait = lambda _: asked.append(source.capture()) if len(asked) < 3 else run.stop.set()
    source.run(emit, run.stop)
    assert asked == [False, True, True]
    assert emit.names == ["a.png", "b.jpg", "below/c.jpg"]
    assert [frame.priority for frame in emit.frames] == [Priority.STREAM, Priority.TRIGGER, Priority.TRIGGER]
    assert not source.capture()


def test_a_feed_may_be_urgent_as_a_whole(pictures: Path) -> None:
    """Its frames have the priority that the source was given."""
    emit = Emissions()
    Playback("feed", pictures, fps=1, priority=Priority.TRIGGER, clock=SteppedClock()).run(emit, threading.Event())
    assert {frame.priority for frame in emit.frames} == {Priority.TRIGGER}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere", "does not exist"),
        ("empty", "no readable picture"),
        ("clip.mp4", "no video"),
    ],
)
def test_nothing_to_play_is_an_error_that_names_it(tmp_path: Path, name: str, message: str) -> None:
    """A missing path, a folder without pictures, a file that is no video."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    with pytest.raises(SourceError, match=message) as error:
        play(tmp_path / name, Emissions())
    assert name in str(error.value)
