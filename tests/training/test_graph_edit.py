"""Changes of ONNX graphs."""

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - onnx may be absent

from edge.session import open_session  # noqa: E402 - as above
from training.errors import ExportError, UsageError  # noqa: E402 - as above
from training.graph_edit import divide_logits  # noqa: E402 - as above

PICTURES = np.random.default_rng(0).standard_normal((2, 3, 4, 4)).astype(np.float32)


def write_linear(path: Path, outputs: int = 1) -> Path:
    """Write a graph whose logits, of three classes, are a linear function of the picture."""
    weights = np.random.default_rng(1).standard_normal((48, 3)).astype(np.float32)
    names = ["output1", "output2"][:outputs]
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["input1"], ["flat"]),
            *(helper.make_node("MatMul", ["flat", "weights"], [name]) for name in names),
        ],
        "linear",
        [helper.make_tensor_value_info("input1", TensorProto.FLOAT, ["batch", 3, 4, 4])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in names],
        [numpy_helper.from_array(weights, "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def answers(path: Path) -> np.ndarray:
    return open_session(path, device="cpu", threads=1).run(PICTURES)


def test_logits_are_divided_once_and_again(tmp_path: Path) -> None:
    """The logits come out divided, under the name and shape they had; doing it again divides again."""
    graph, cooler, coldest = write_linear(tmp_path / "a.onnx"), tmp_path / "b.onnx", tmp_path / "c.onnx"
    divide_logits(graph, 2.0, cooler)
    divide_logits(cooler, 1.5, coldest)
    np.testing.assert_allclose(answers(cooler), answers(graph) / 2, rtol=1e-6)
    np.testing.assert_allclose(answers(coldest), answers(graph) / 3, rtol=1e-6)
    changed = onnx.load(coldest)
    onnx.checker.check_model(changed, full_check=True)
    assert [value.name for value in changed.graph.output] == ["output1"]


def test_a_graph_may_be_divided_in_its_place(tmp_path: Path) -> None:
    """Source and target may be one file; nothing else is left beside it."""
    graph = write_linear(tmp_path / "a.onnx")
    before = answers(graph)
    divide_logits(graph, 4.0, graph)
    np.testing.assert_allclose(answers(graph), before / 4, rtol=1e-6)
    assert list(tmp_path.iterdir()) == [graph]


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_no_temperature_is_refused(tmp_path: Path, temperature: float) -> None:
    """What is not a number above 0 is wrong usage, and nothing is written."""
    with pytest.raises(UsageError, match="above 0"):
        divide_logits(write_linear(tmp_path / "a.onnx"), temperature, tmp_path / "b.onnx")
    assert not (tmp_path / "b.onnx").exists()


def test_what_cannot_be_read_divided_or_written_is_named(tmp_path: Path) -> None:
    """A missing file, one that is no graph, two outputs, or a folder that is not there."""
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph at all")
    for source, to, message in (
        (tmp_path / "none.onnx", tmp_path / "b.onnx", r"none\.onnx: cannot be read"),
        (broken, tmp_path / "b.onnx", "no ONNX graph"),
        (write_linear(tmp_path / "two.onnx", outputs=2), tmp_path / "b.onnx", "2 outputs"),
        (write_linear(tmp_path / "a.onnx"), tmp_path / "none" / "b.onnx", "cannot be written"),
    ):
        with pytest.raises(ExportError, match=message):
            divide_logits(source, 2.0, to)
