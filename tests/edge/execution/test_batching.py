"""The batching policy as tables, and what the pipeline makes of it."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.execution.batching import bucket, pad, remaining_wait_s
from tests.edge.execution.echo import EchoSession, echo_model, label, lanes, pipeline, serving


@pytest.mark.parametrize(
    ("gathered", "expected", "waited_s", "wait_s"),
    [
        (1, 5, 0.0, 0.010),
        (1, 5, 0.004, 0.006),
        (1, 5, 0.020, 0.0),  # waited long enough
        (8, 9, 0.0, 0.0),  # full
        (3, 3, 0.0, 0.0),  # everybody is in
        (1, 1, 0.0, 0.0),  # alone
    ],
)
def test_when_a_batch_goes(gathered: int, expected: int, waited_s: float, wait_s: float) -> None:
    """A batch waits for company at most its delay, and not at all when full or when nobody else can come."""
    wait = remaining_wait_s(gathered=gathered, limit=8, expected=expected, waited_s=waited_s, max_delay_s=0.010)
    assert wait == pytest.approx(wait_s)


@pytest.mark.parametrize(
    ("count", "sizes", "size"), [(1, (), 1), (3, (), 3), (1, (1, 2, 4), 1), (3, (1, 2, 4), 4), (2, (4,), 4)]
)
def test_bucket(count: int, sizes: tuple[int, ...], size: int) -> None:
    """A batch is padded to the next warmed size, or not at all where any size runs."""
    assert bucket(count, sizes) == size


@given(count=st.integers(1, 8), size=st.integers(1, 8))
def test_pad_keeps_the_tensors_in_front(count: int, size: int) -> None:
    """Rows are the tensors in order, the rest is zero."""
    size = max(size, count)
    tensors = [np.full((3, 2, 2), i + 1, np.float32) for i in range(count)]
    batch = pad(tensors, size)
    assert batch.shape == (size, 3, 2, 2)
    assert batch[:count, 0, 0, 0].tolist() == [i + 1 for i in range(count)]
    assert not batch[count:].any()


def test_the_pipeline_pads_to_warmed_sizes() -> None:
    """Waiting pictures go together, in sizes that were warmed."""
    gate = threading.Event()
    session = EchoSession(batch_sizes=(1, 4), gate=gate)
    with serving(pipeline(), echo_model(session=session)) as executor:
        first = executor.submit(b"1")
        assert session.entered.acquire(timeout=10)
        others = [executor.submit(str(i).encode()) for i in range(2, 9)]
        gate.set()
        assert [label(f.result(10)) for f in (first, *others)] == [str(i) for i in range(1, 9)]
    assert session.batches[0] == 1
    assert set(session.batches) <= {1, 4}
    assert len(session.batches) < 8


def test_lanes_pad_for_a_graph_with_a_fixed_batch() -> None:
    """A graph exported for four pictures runs one picture padded to four."""
    session = EchoSession(batch_sizes=(4,))
    with serving(lanes(), echo_model(session=session)) as executor:
        assert label(executor.submit(b"7").result(10)) == "7"
    assert session.batches == [4]
