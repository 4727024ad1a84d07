"""Graphs in fp16 and int8, as onnxruntime makes and runs them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

onnx = pytest.importorskip("onnx")

from onnx import ModelProto, numpy_helper  # noqa: E402 - onnx may be absent

from edge.bundle import Preprocessing  # noqa: E402 - as above
from edge.preprocess.classification import prepare  # noqa: E402 - as above
from edge.session import open_session  # noqa: E402 - as above
from tests.training.colour_bundles import SIDE, colour_graph  # noqa: E402 - as above
from training.dataset.drawn import defects, draw, encode  # noqa: E402 - as above
from training.errors import ExportError  # noqa: E402 - as above
from training.graph_edit import read_graph, write_graph  # noqa: E402 - as above
from training.quantization import (  # noqa: E402 - as above
    Method,
    Quantizable,
    make_ready,
    precision_of,
    run_literally,
    write_fp16,
    write_int8,
)

MOBILENET = Path(__file__).parents[2] / "models/metal-surface-defects/1/model.onnx"
"""The shipped model: a trained MobileNetV2, mirrored. One that is only drawn answers at random once it is quantised."""
PIXELS = 96
Batch = NDArray[np.float32]


def noise(count: int, side: int = SIDE) -> Batch:
    return np.random.default_rng(0).standard_normal((count, 3, side, side)).astype(np.float32)


def steel(count: int, seed: int) -> Batch:
    """Return drawn pictures of steel as the shipped model takes them."""
    rule = Preprocessing(resize=PIXELS, crop=PIXELS)
    kinds = list(defects())
    pictures = [encode(draw(kinds[number % len(kinds)], number, seed)) for number in range(count)]
    return np.stack([prepare(picture, preprocessing=rule) for picture in pictures])


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Quantizable:
    return make_ready(MOBILENET, steel(12, seed=5), tmp_path_factory.mktemp("graphs"), method="minmax", batch=1)


@pytest.fixture(scope="module")
def int8(ready: Quantizable) -> Path:
    path = ready.path.with_name("int8.onnx")
    write_int8(ready, path)
    return path


def answers(path: Path, inputs: Batch) -> Batch:
    return open_session(path, device="cpu", threads=1).run(inputs)


def agreement(path: Path, other: Path, inputs: Batch) -> float:
    """Return the correlation of two graphs' logits."""
    return float(np.corrcoef(answers(path, inputs).ravel(), answers(other, inputs).ravel())[0, 1])


def constants(model: ModelProto, ending: str) -> dict[str, NDArray[np.generic]]:
    return {one.name: numpy_helper.to_array(one) for one in model.graph.initializer if one.name.endswith(ending)}


def test_int8_answers_nearly_as_fp32(int8: Path) -> None:
    """The logits go with those of fp32, the graph keeps its face and a free batch, and is a third of the size."""
    pictures = steel(12, seed=6)
    assert agreement(MOBILENET, int8, pictures) > 0.99
    before, after = read_graph(MOBILENET).graph, read_graph(int8).graph
    assert list(after.input) == list(before.input)
    assert list(after.output) == list(before.output)
    assert precision_of(read_graph(int8)) == "int8"
    assert int8.stat().st_size < MOBILENET.stat().st_size / 3
    np.testing.assert_array_equal(answers(int8, pictures[:3])[0], answers(int8, pictures[:1])[0])


def test_weights_have_seven_bits_so_that_every_processor_adds_them_alike(int8: Path) -> None:
    """No weight is beyond what two products in 16 bits hold; each output channel has a scale of its own."""
    constants = {one.name: numpy_helper.to_array(one) for one in read_graph(int8).graph.initializer}
    weights = {name: value for name, value in constants.items() if value.dtype == np.int8 and value.ndim > 1}
    assert len(weights) == 53
    assert max(int(np.abs(value.astype(int)).max()) for value in weights.values()) == 64
    for name, value in weights.items():
        assert constants[name.replace("_quantized", "_scale")].shape == (len(value),)


def test_what_is_done_to_the_picture_itself_stays_exact(tmp_path: Path) -> None:
    """A product before the first convolution takes means of the picture; it is no layer."""
    model = colour_graph()
    model.graph.node[0].input[0] = "evened"
    model.graph.node.insert(0, onnx.helper.make_node("MatMul", ["input1", "means"], ["evened"]))
    model.graph.initializer.append(numpy_helper.from_array(np.eye(SIDE, dtype=np.float32), "means"))
    write_graph(model, tmp_path / "fp32.onnx")
    ready = make_ready(tmp_path / "fp32.onnx", noise(4), tmp_path, method="minmax", batch=1)
    write_int8(ready, tmp_path / "int8.onnx")
    assert ready.weighted == ("first", "second", "last")
    product = next(node for node in read_graph(tmp_path / "int8.onnx").graph.node if node.op_type == "MatMul")
    assert list(product.input) == ["input1", "means"]


def test_sums_of_a_transformer_stay_in_floats(tmp_path: Path) -> None:
    """Where layers are normalised as transformers do, only what has weights is quantised."""
    model = colour_graph()
    flat = next(node for node in model.graph.node if node.op_type == "Gemm")
    flat.input[0] = "normal"
    model.graph.node.insert(5, onnx.helper.make_node("LayerNormalization", ["e", "ones"], ["normal"]))
    model.graph.initializer.append(numpy_helper.from_array(np.ones(4, np.float32), "ones"))
    write_graph(model, tmp_path / "fp32.onnx")
    ready = make_ready(tmp_path / "fp32.onnx", noise(4), tmp_path, method="minmax", batch=1)
    assert ready.types == ("Conv", "Gemm", "MatMul")
    write_int8(ready, tmp_path / "int8.onnx")
    assert agreement(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", noise(8)) > 0.9


def test_layers_can_be_left_in_floats(ready: Quantizable, tmp_path: Path) -> None:
    """With all layers but one in floats, hardly anything changes; their weights are as they were."""
    write_int8(ready, tmp_path / "one.onnx", in_float=ready.weighted[1:])
    assert agreement(MOBILENET, tmp_path / "one.onnx", steel(6, seed=6)) > 0.999
    write_int8(ready, tmp_path / "only.onnx", only=ready.weighted[0])
    types = [node.op_type for node in read_graph(tmp_path / "only.onnx").graph.node]
    assert 2 <= types.count("DequantizeLinear") <= 4


@pytest.mark.parametrize("method", ["entropy", "percentile"])
def test_ranges_can_be_narrower(method: Method, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The other methods give graphs that answer, too, and print nothing."""
    write_graph(colour_graph(), tmp_path / "fp32.onnx")
    ready = make_ready(tmp_path / "fp32.onnx", noise(4), tmp_path, method=method, batch=1)
    write_int8(ready, tmp_path / "int8.onnx")
    assert agreement(tmp_path / "fp32.onnx", tmp_path / "int8.onnx", noise(8)) > 0.9
    assert capsys.readouterr().out == ""


def test_a_graph_of_a_fixed_batch_is_calibrated_in_such_batches(tmp_path: Path) -> None:
    """The last batch is filled up."""
    write_graph(colour_graph(batch=3), tmp_path / "fp32.onnx")
    ready = make_ready(tmp_path / "fp32.onnx", noise(4), tmp_path, method="minmax", batch=3)
    assert [batch.shape[0] for batch in ready.batches] == [3, 3]
    write_int8(ready, tmp_path / "int8.onnx")
    assert answers(tmp_path / "int8.onnx", noise(3)).shape == (3, 3)
    assert run_literally(tmp_path / "int8.onnx", noise(4), batch=3).shape == (4, 3)


def test_fp16_takes_and_gives_floats(tmp_path: Path) -> None:
    """Half the size, the same face, and logits that are nearly the same."""
    write_fp16(MOBILENET, tmp_path / "fp16.onnx")
    turned = read_graph(tmp_path / "fp16.onnx")
    assert precision_of(turned) == "fp16"
    assert turned.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert turned.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert (tmp_path / "fp16.onnx").stat().st_size < 0.55 * MOBILENET.stat().st_size
    assert agreement(MOBILENET, tmp_path / "fp16.onnx", steel(6, seed=6)) > 0.999


def test_running_literally_is_nearly_what_fused_kernels_give(int8: Path) -> None:
    """The same quantised graph in floats differs by roundings alone."""
    inputs = steel(6, seed=6)
    fused, literal = answers(int8, inputs), run_literally(int8, inputs, batch=1)
    assert np.abs(fused - literal).max() < 0.05 * float(np.ptp(fused))


def test_what_cannot_be_quantised_is_named(ready: Quantizable, tmp_path: Path) -> None:
    """A graph without weights, a file that is none, and an input of another size each end as one line."""
    write_graph(_without_layers(), tmp_path / "bare.onnx")
    with pytest.raises(ExportError, match="nothing to quantise"):
        make_ready(tmp_path / "bare.onnx", noise(2), tmp_path, method="minmax", batch=1)
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(ExportError, match="no ONNX graph"):
        make_ready(tmp_path / "broken.onnx", noise(2), tmp_path, method="minmax", batch=1)
    with pytest.raises(ExportError, match="no ONNX graph"):
        write_fp16(tmp_path / "broken.onnx", tmp_path / "fp16.onnx")
    with pytest.raises(ExportError, match="cannot quantise the graph"):
        write_int8(replace(ready, batches=(noise(1, 7),)), tmp_path / "int8.onnx")
    assert not (tmp_path / "int8.onnx").exists()


def _without_layers() -> ModelProto:
    bare = colour_graph()
    kept = [node for node in bare.graph.node if node.op_type == "GlobalAveragePool"]
    kept[0].input[0], kept[0].output[0] = "input1", "pooled"
    del bare.graph.node[:], bare.graph.initializer[:]
    bare.graph.node.extend([*kept, onnx.helper.make_node("Flatten", ["pooled"], ["output1"])])
    return bare
