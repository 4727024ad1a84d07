"""Frames of a video file, by OpenCV's FFmpeg reader. cv2 is imported only when a video is played."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError


def read_video(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames as uint8 [height, width, 3] in RGB. Raises SourceError where there is not one."""
    import cv2  # noqa: PLC0415 - the daemon starts faster without

    cv2.setNumThreads(1)  # the executor's threads are the threads; OpenCV's own would fight them for the cores
    capture = cv2.VideoCapture(str(path))
    try:
        found, frame = capture.read() if capture.isOpened() else (False, None)
        if not found:
            msg = f"{path} cannot be played: it is no video, or in a format that OpenCV does not read"
            raise SourceError(msg)
        while found and frame is not None:
            yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), dtype=np.uint8)
            found, frame = capture.read()
    finally:
        capture.release()
