"""Smaller and faster graphs: fp16, and int8 by static quantisation."""

from onnxruntime import quantization as _ort  # noqa: F401 - used as soon as this is written
