"""Pictures of figures, for people. The only owner of matplotlib, which takes half a second to import."""

from collections.abc import Sequence
from pathlib import Path


def draw_bars(path: Path, names: Sequence[str], values: Sequence[float], *, title: str, unit: str) -> None:
    """Write horizontal bars, the first one on top, as PNG or SVG by the path's suffix. Raises OSError."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - see above

    figure = Figure(figsize=(8, 1.2 + 0.35 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(list(names), list(values), color="#2f6f9f")
    axes.bar_label(bars, fmt="%.4g", padding=3)
    axes.invert_yaxis()
    axes.set(title=title, xlabel=unit)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
