"""Explanations: the map lies where the model looks."""

from typing import Any

import numpy as np
import pytest

from edge.errors import InferenceError
from edge.explain import METHODS, Explanation, Method, Scores, chunk_size, explain, explained_classes
from edge.explain.occlusion import grids, patches
from edge.explain.rise import smooth_masks
from edge.predictor import BatchF32, OutputsF32
from edge.results import Classification
from tests.edge.explain.graphs import SIDE, SQUARE, always_the_same, bright_square, looks_at_square


def explained(
    method: Method, run: Any = looks_at_square, *, runs: int = 200, seed: int = 0, **scores: Any
) -> Explanation:
    return explain(bright_square(), Scores(run, (0,), **scores), method=method, runs=runs, seed=seed)


def share_in_square(heat: np.ndarray[Any, Any]) -> float:
    """Return which share of what is above 0 lies in the square, which is a twelfth of the picture."""
    above = np.maximum(heat, 0)
    return float(above[SQUARE].sum() / above.sum())


@pytest.mark.parametrize("method", METHODS)
def test_the_map_lies_in_the_square_that_the_model_looks_at(method: Method) -> None:
    """Its highest point too, and the values are shares of a probability."""
    (heat,) = explained(method).maps
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    assert heat.shape == (SIDE, SIDE)
    assert heat.dtype == np.float32
    assert share_in_square(heat) > 0.3
    assert 8 <= row < 24
    assert 32 <= column < 48
    assert 0.1 < heat.max() <= 1


@pytest.mark.parametrize("method", METHODS)
def test_a_model_that_always_says_the_same_gives_an_empty_map(method: Method) -> None:
    """Nothing in the picture matters to it."""
    assert np.abs(explained(method, always_the_same).maps).max() < 1e-6


@pytest.mark.parametrize("method", METHODS)
def test_the_same_arguments_give_the_same_map(method: Method) -> None:
    """The seed decides on the masks of rise, and on nothing of occlusion."""
    first = explained(method, runs=60).maps
    assert (first == explained(method, runs=60).maps).all()
    assert (first == explained(method, runs=60, seed=1).maps).all() == (method == "occlusion")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("runs", [2, 3, 17, 50])
def test_no_more_inputs_are_run_than_allowed(method: Method, runs: int) -> None:
    """And the explanation tells how many were."""
    seen = []

    def run(batch: BatchF32) -> OutputsF32:
        seen.append(len(batch))
        return looks_at_square(batch)

    assert explained(method, run, runs=runs).runs == sum(seen) <= runs


@pytest.mark.parametrize("method", METHODS)
def test_a_session_of_a_fixed_size_gets_batches_of_that_size(method: Method) -> None:
    """What is missing of the last one is filled up, and changes no answer."""
    sizes = set()

    def run(batch: BatchF32) -> OutputsF32:
        sizes.add(len(batch))
        return looks_at_square(batch)

    assert explained(method, run, size=8).maps == pytest.approx(explained(method).maps, abs=1e-6)
    assert sizes == {8}


@pytest.mark.parametrize("method", METHODS)
def test_one_set_of_runs_explains_several_classes(method: Method) -> None:
    """Of two classes, what speaks for one speaks against the other."""
    both = explain(bright_square(), Scores(looks_at_square, (0, 1)), method=method, runs=50).maps
    assert both[0] == pytest.approx(-both[1], abs=1e-6)


def test_when_the_time_is_up_the_coarse_grids_stay() -> None:
    """A grid that is not complete is left out."""
    turns = iter([True] * 30 + [False] * 1000)
    cut_off = explained("occlusion", turn=lambda: next(turns))
    assert cut_off.runs == 30
    assert cut_off.maps == pytest.approx(explained("occlusion", runs=17).maps)


@pytest.mark.parametrize("method", METHODS)
def test_where_there_is_no_time_there_is_no_map(method: Method) -> None:
    """The caller says so; nothing is invented."""
    assert explained(method, turn=lambda: False).maps.shape == (1, 0, 0)


@pytest.mark.parametrize("method", METHODS)
def test_numbers_that_are_not_finite_are_an_error(method: Method) -> None:
    """A map made of them would show nothing or everything."""
    with pytest.raises(InferenceError, match="not finite"):
        explained(method, lambda batch: np.full((len(batch), 2), np.nan, np.float32))


@pytest.mark.parametrize("side", [2, 3, 5, 224])
@pytest.mark.parametrize("most", [1, 4, 49, 199, 9999])
def test_patches_cover_every_pixel_within_the_budget(side: int, most: int) -> None:
    """Down to pictures of two pixels a side."""
    wanted = grids(most, side)
    assert sum(grid**2 for grid in wanted) <= most
    if sum(wanted) < 60:
        covered = sum((1 - mask for mask in patches(side, wanted[-1])), np.zeros((side, side)))
        assert covered.min() >= 1


@pytest.mark.parametrize("side", [1, 5, 32, 224])
def test_masks_show_half_of_the_picture_on_average(side: int) -> None:
    """Each pixel of it, at the border too, and smoothly: every value lies between hidden and seen."""
    masks = np.stack(list(smooth_masks(side, 400, seed=3)))
    assert masks.shape == (400, side, side)
    assert masks.min() >= 0
    assert masks.max() <= 1 + 1e-6
    assert abs(masks.mean(axis=0) - 0.5).max() < 0.15


@pytest.mark.parametrize(("sizes", "size"), [((), 4), ((1,), 1), ((1, 2, 4, 8, 16, 32), 16), ((64,), 64), ((3,), 3)])
def test_batches_have_a_size_that_the_session_runs(sizes: tuple[int, ...], size: int) -> None:
    """The largest up to 16; the caller's own where any size goes."""
    assert chunk_size(sizes, otherwise=4) == size


@pytest.mark.parametrize(
    ("selected", "threshold", "classes"),
    [(None, None, (1,)), (None, 0.9, (1,)), (("a", "c"), None, (0, 2)), (("a",), 0.3, (1, 2)), ((), None, ())],
)
def test_the_top_class_or_the_selected_ones_are_explained(
    selected: tuple[str, ...] | None, threshold: float | None, classes: tuple[int, ...]
) -> None:
    """A threshold stands in for the selection of a multi-label model."""
    answer = Classification("b", 0.6, ("a", "b", "c"), (0.2, 0.6, 0.4), selected)
    assert explained_classes(answer, threshold) == classes
