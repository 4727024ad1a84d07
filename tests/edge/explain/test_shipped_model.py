"""The shipped model tells a scratch by the scratch."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.explain import METHODS, Method, Scores, explain
from edge.ports import Model
from edge.proof import load_model
from training.dataset.drawn import NATIVE_SIZE, Sheet

SHIPPED = Path(__file__).parents[3] / "models/metal-surface-defects/1"
Share = NDArray[np.bool_]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(SHIPPED, device="cpu")


def one_scratch() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a picture of steel with one upright scratch, and where that is: white on black with a margin."""
    sheet = Sheet(NATIVE_SIZE, np.random.default_rng(3))
    sheet.roll(80, grain=4, bands=4, light=6)
    ends = np.array([[70.0, 60.0], [72.0, 130.0]])
    sheet.darken(sheet.strokes(ends, 3), -110, soft=0.6)
    return np.dstack([sheet.picture()] * 3), np.dstack([np.uint8(255 * (sheet.strokes(ends, 15) > 0))] * 3)


@pytest.mark.parametrize("method", METHODS)
def test_the_map_lies_on_the_scratch_more_than_beside_it(model: Model, method: Method) -> None:
    """Twice as much as if it were spread evenly, and the highest point is on it."""
    picture, place = one_scratch()
    answer = model.predictor.predict(picture, model.session.run)
    assert answer.label == "Scratches"
    scores = Scores(partial(model.session.run, alone=True), (answer.labels.index("Scratches"),), size=4)
    (heat,) = np.maximum(explain(model.predictor.prepare(picture), scores, method=method).maps, 0)
    on_it = model.predictor.seen(model.predictor.prepare(place)).mean(axis=2) > 128
    assert heat[on_it].sum() / heat.sum() > 2 * on_it.mean()
    assert on_it.flat[heat.argmax()]
