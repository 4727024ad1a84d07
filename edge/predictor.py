"""preprocess ∘ run ∘ postprocess for one bundle. Holds no session: ``run`` is handed in."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle, check_runnable, cropped
from edge.postprocess.classification import classify
from edge.preprocess.classification import pixels_of, prepare
from edge.preprocess.decode import MAX_PIXELS
from edge.results import Classification

Image = bytes | NDArray[np.uint8]
"""An encoded picture's bytes, or a decoded uint8 array [height, width, 3] in RGB."""
TensorF32 = NDArray[np.float32]
"""One picture's input [3, height, width]."""
BatchF32 = NDArray[np.float32]
"""Inputs [n, 3, height, width]."""
OutputsF32 = NDArray[np.float32]
"""Raw outputs [n, classes]."""


class Predictor:
    """Turns a picture into what the bundle's graph takes, and what it gives into a prediction.

    ``max_pixels`` bounds width x height of a picture, read from its header before anything is decoded.
    """

    def __init__(self, bundle: Bundle, *, max_pixels: int = MAX_PIXELS) -> None:
        check_runnable(bundle.manifest)
        self._input = bundle.manifest.input
        self._preprocessing = cropped(bundle.manifest)
        self._labels = bundle.labels
        self._multilabel = bundle.manifest.task == "image-classification-multilabel"
        self._threshold = bundle.manifest.postprocessing.threshold
        self._max_pixels = max_pixels

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of one input: 3, height, width."""
        crop = self._preprocessing.crop
        return (3, crop, crop)

    def prepare(self, image: Image) -> TensorF32:
        """Return the input [3, height, width] for one picture. Raises ImageDecodeError, ImageTooLargeError."""
        return prepare(
            image,
            preprocessing=self._preprocessing,
            colour=self._input.colour,
            value_range=self._input.range,
            max_pixels=self._max_pixels,
        )

    def seen(self, tensor: TensorF32) -> NDArray[np.uint8]:
        """Return the pixels [height, width, 3] in RGB that the model sees in an input [3, height, width]."""
        return pixels_of(tensor, colour=self._input.colour, value_range=self._input.range)

    def finish(self, outputs: NDArray[np.float32]) -> Classification:
        """Return the prediction for one picture's raw outputs [classes]. Raises InferenceError unless finite."""
        threshold = self._threshold if self._multilabel else None
        return classify(outputs, labels=self._labels, threshold=threshold)

    def predict(self, image: Image, run: Callable[[BatchF32], OutputsF32]) -> Classification:
        """Return the prediction for one picture, the whole way. Raises what the three steps raise."""
        return self.finish(run(self.prepare(image)[np.newaxis])[0])
