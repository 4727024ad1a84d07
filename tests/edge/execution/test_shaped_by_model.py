"""The executor that takes the shape which suits the first model."""

import pytest

from edge.errors import ModelNotReadyError, StoppingError
from edge.execution.shapes import Shape
from edge.ports import Priority
from tests.edge.execution.echo import by_model, echo_model, label, serving


@pytest.mark.parametrize("suits", ["lanes", "pipeline"])
def test_the_first_model_decides_the_shape(suits: Shape) -> None:
    """What really runs it is known only then."""
    executor = by_model(suits=suits, queue_size=7)
    assert (executor.shape, executor.model, executor.queued, executor.capacity) == ("auto", None, 0, 7)
    assert executor.full(Priority.STREAM) is None
    with pytest.raises(ModelNotReadyError):
        executor.submit(b"1")
    with serving(executor):
        assert (executor.shape, executor.capacity) == (suits, 7)
        assert label(executor.submit(b"5").result(10)) == "5"
        executor.swap(echo_model("2"))
        assert executor.shape == suits
        assert executor.model is not None
        assert executor.model.ref.version == "2"


def test_a_model_that_comes_after_the_end_starts_nothing() -> None:
    """A model may still be loading when the daemon stops."""
    executor = by_model()
    executor.close()
    assert executor.swap(echo_model())
    with pytest.raises(StoppingError):
        executor.submit(b"1")
    assert executor.shape == "auto"
