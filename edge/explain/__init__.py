"""Which parts of a picture speak for a class, found from a graph's answers alone. Pure: ``run`` is handed in."""

from edge.explain.figure import figure
from edge.explain.method import (
    DEFAULT_RUNS,
    MAX_RUNS,
    METHODS,
    MIN_RUNS,
    Method,
    explain,
    explained_classes,
)
from edge.explain.scores import Explanation, Scores, always, chunk_size

__all__ = [
    "DEFAULT_RUNS",
    "MAX_RUNS",
    "METHODS",
    "MIN_RUNS",
    "Explanation",
    "Method",
    "Scores",
    "always",
    "chunk_size",
    "explain",
    "explained_classes",
    "figure",
]
