"""Sessions: what onnxruntime really does with a graph, and what it refuses."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from edge.bundle import GraphTensor
from edge.errors import DeviceError, InferenceError, ModelInvalidError
from edge.session import CPU, CUDA, available_providers, open_session, usable_cores
from tests.fakes import CROP, LABELS, GraphOptions, truncate, write_graph

on_cpu_build = pytest.mark.skipif(CUDA in available_providers(), reason="this environment has the GPU build")
on_gpu_build = pytest.mark.skipif(CUDA not in available_providers(), reason="needs onnxruntime-gpu and an NVIDIA GPU")


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    write_graph(path)
    return path


def pictures(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(1).random((count, 3, CROP, CROP), np.float32)


def test_the_provider_is_read_back(graph: Path) -> None:
    """What runs is what the session says, with the nodes it got and the time a warm-up run took."""
    session = open_session(graph, device="cpu", threads=2)
    assert session.provider == CPU
    assert session.truth.fallback is None
    assert session.truth.threads == 2
    assert set(session.truth.nodes) == {CPU}
    assert session.truth.nodes[CPU] > 0
    assert session.truth.warmup_ms[1] > 0


def test_the_graph_is_described(graph: Path) -> None:
    """Names, types and shapes come from the loaded graph."""
    described = open_session(graph, device="cpu").graph
    assert described.inputs == (GraphTensor("input1", "float32", ("batch", 3, CROP, CROP)),)
    assert described.outputs == (GraphTensor("output1", "float32", ("batch", len(LABELS))),)


def test_open_sides_of_outputs_are_those_of_a_run(tmp_path: Path) -> None:
    """A graph that leaves its number of classes open is described by what it really answers."""
    write_graph(tmp_path / "model.onnx", GraphOptions(classes="classes"))
    described = open_session(tmp_path / "model.onnx", device="cpu").graph
    assert described.outputs == (GraphTensor("output1", "float32", ("batch", len(LABELS))),)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_narrow_and_wide_agree(graph: Path, count: int) -> None:
    """One thread or all cores, alone or in a batch: the same numbers."""
    session = open_session(graph, device="cpu", threads=2)
    batch = pictures(count)
    together = session.run(batch)
    assert together.shape == (count, len(LABELS))
    np.testing.assert_allclose(session.run(batch, alone=True), together, atol=1e-5)
    for row, picture in zip(together, batch, strict=True):
        np.testing.assert_allclose(session.run(picture[np.newaxis])[0], row, atol=1e-5)


def test_many_threads_share_a_session(graph: Path) -> None:
    """Lanes run one session at once and each gets its own answer."""
    session = open_session(graph, device="cpu", threads=1)
    batches = [pictures(1) * scale for scale in np.linspace(0, 1, 64, dtype=np.float32)]
    alone = [session.run(batch) for batch in batches]
    start = threading.Barrier(4)

    def lane(first: int) -> list[bool]:
        start.wait(10)
        return [np.array_equal(session.run(batches[i]), alone[i]) for i in range(first, 64, 4)]

    with ThreadPoolExecutor(4) as pool:
        assert all(all(same) for same in pool.map(lane, range(4)))


def test_a_fixed_batch_is_named(tmp_path: Path) -> None:
    """A graph exported for four pictures says so, and is warmed with four."""
    path = tmp_path / "model.onnx"
    write_graph(path, GraphOptions(batch=4))
    session = open_session(path, device="cpu")
    assert session.batch_sizes == (4,)
    assert set(session.truth.warmup_ms) == {4}
    with pytest.raises(InferenceError, match="batch of 1"):
        session.run(pictures(1))


def test_any_batch_runs_on_a_cpu(graph: Path) -> None:
    """A dynamic graph on the CPU has no preferred sizes."""
    assert open_session(graph, device="cpu").batch_sizes == ()


@pytest.mark.parametrize("fault", ["truncated", "empty", "text", "missing", "opset"])
def test_a_file_that_is_no_model(graph: Path, fault: str) -> None:
    """A file that onnxruntime refuses is named with the reason, in one line."""
    if fault == "truncated":
        truncate(graph)
    elif fault == "missing":
        graph.unlink()
    elif fault == "opset":
        write_graph(graph, GraphOptions(opset=4711))
    else:
        graph.write_bytes(b"" if fault == "empty" else b"not a model")
    with pytest.raises(ModelInvalidError, match=r"refuses .*model\.onnx") as refused:
        open_session(graph)
    assert "\n" not in str(refused.value)


def test_a_refusal_is_for_people(graph: Path) -> None:
    """An opset from the future: the reason and a remedy, nothing of onnxruntime's sources, the path once."""
    write_graph(graph, GraphOptions(opset=4711))
    with pytest.raises(
        ModelInvalidError, match=r"Opset 4711 .* with an opset that this onnxruntime supports"
    ) as refused:
        open_session(graph)
    assert "onnxruntime_src" not in str(refused.value)
    assert str(refused.value).count(str(graph)) == 1


@pytest.mark.parametrize("shape", [None, []])
def test_a_graph_that_takes_no_batch(tmp_path: Path, shape: list[int] | None) -> None:
    """A graph without an input, or with one number as input, is refused by name."""
    value = helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])
    given = "x" if shape is not None else "constant"
    nodes = [helper.make_node("Constant", [], ["constant"], value=value), helper.make_node("Identity", [given], ["y"])]
    inputs = [] if shape is None else [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [])]
    graph = helper.make_graph(nodes, "numbers", inputs, outputs)
    path = tmp_path / "model.onnx"
    path.write_bytes(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    )
    with pytest.raises(ModelInvalidError, match="no model for pictures"):
        open_session(path)


@on_cpu_build
def test_require_gpu_refuses_a_cpu(graph: Path) -> None:
    """A silent fall to the CPU is an error where the GPU is required, with the remedy."""
    with pytest.raises(DeviceError, match=r"require-gpu, but .*install automl-edge\[gpu\]"):
        open_session(graph, device="require-gpu")


@on_cpu_build
def test_gpu_falls_back_loudly(graph: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where a GPU was asked for and the CPU runs, the session keeps the reason and the log has a warning."""
    session = open_session(graph, device="gpu")
    assert session.provider == CPU
    assert session.truth.fallback is not None
    assert "install automl-edge[gpu]" in session.truth.fallback
    assert "the GPU does not run the model" in caplog.text


@on_cpu_build
def test_auto_on_a_cpu_build_is_no_fall(graph: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where no GPU was to be expected, auto says nothing."""
    assert open_session(graph, device="auto").truth.fallback is None
    assert not caplog.text


@on_gpu_build
def test_the_gpu_runs(graph: Path) -> None:
    """With a GPU, the session proves that the GPU got nodes and that every bucket was warmed."""
    session = open_session(graph, device="require-gpu", batch_sizes=(1, 4))
    assert session.provider == CUDA
    assert session.truth.nodes[CUDA] > 0
    assert session.batch_sizes == (1, 4)
    batch = pictures(4)
    cpu = open_session(graph, device="cpu").run(batch)
    np.testing.assert_allclose(session.run(batch), cpu, atol=1e-3)


def test_usable_cores() -> None:
    """At least one core, and never more than the process may run on."""
    assert 1 <= usable_cores() <= len(os.sched_getaffinity(0))


def test_onnxruntime_says_what_it_contains() -> None:
    """The list of built-in providers is onnxruntime's own."""
    assert available_providers() == tuple(ort.get_available_providers())
