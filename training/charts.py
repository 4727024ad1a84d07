"""The plots of an evaluation as SVG for a page: they take its colours, light or dark, and its letters."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from training.calibration import Reliability
from training.comparison import Contender, front
from training.summary import threshold_text
from training.thresholds import Choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TEXT, BAR, BAD, LINE, GOOD = "#010101", "#020202", "#030303", "#040404", "#050505"
COLOURS: Mapping[str, str] = {
    TEXT: "currentColor",
    BAR: "var(--bar)",
    BAD: "var(--bad)",
    LINE: "var(--line)",
    GOOD: "var(--good)",
}
"""What matplotlib draws with, and what the page knows it as."""
STYLE: Mapping[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "automl-edge",
    "text.color": TEXT,
    "axes.edgecolor": LINE,
    "axes.labelcolor": TEXT,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": TEXT,
    "ytick.labelcolor": TEXT,
    "grid.color": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "font.size": 9,
    "text.parse_math": False,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def reliability_svg(before: Reliability, after: Reliability | None) -> str:
    """Return the reliability diagram: accuracy over confidence, the counts below; ``after`` is the calibrated one."""

    def draw(figure: "Figure") -> None:
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        top.plot([0, 1], [0, 1], color=LINE, linewidth=1)
        _draw_bins(top, before, BAR, "as it is")
        if after is not None:
            _draw_bins(top, after, GOOD, "calibrated")
            top.legend(loc="upper left")
        top.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
        widths = [one.high - one.low for one in before.bins]
        below.bar([one.low for one in before.bins], [one.count for one in before.bins], widths, align="edge", color=BAR)
        below.set(xlabel="confidence", ylabel="answers")
        below.set_yscale("symlog")
        below.yaxis.set_major_formatter("{x:,.0f}")

    return _svg(draw, 5.2, 4.4)


def _draw_bins(axes: "Axes", found: Reliability, colour: str, label: str) -> None:
    accuracy = [one.accuracy for one in found.bins]
    down = [max(0.0, one.accuracy - one.least) for one in found.bins]
    up = [max(0.0, one.most - one.accuracy) for one in found.bins]
    confidence = [one.confidence for one in found.bins]
    axes.errorbar(
        confidence, accuracy, [down, up], fmt="o", color=colour, markersize=4, linewidth=1, alpha=0.8, label=label
    )


def threshold_svg(choice: Choice) -> str:
    """Return the cost (or F1) over the threshold, with the best one and what is paid today."""

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        thresholds, values = zip(*choice.curve, strict=True)
        axes.plot(thresholds, values, color=BAR, linewidth=1.5, drawstyle="steps-mid")
        axes.axhline(choice.today.value, color=BAD, linewidth=1, linestyle="--", label="today")
        axes.plot(
            [choice.threshold], [choice.best.value], "o", color=GOOD, label=f"best: {threshold_text(choice.threshold)}"
        )
        axes.set(xlabel="threshold", ylabel="cost of 1,000 parts" if choice.by_cost else "F1 (micro)", xlim=(0, 1))
        axes.legend(loc="best")

    return _svg(draw, 5.2, 3.2)


def pareto_svg(contenders: Sequence[Contender]) -> str:
    """Return accuracy over latency with the Pareto front; each bundle is its number, from 1 on.

    Bars reach where the accuracy may really be (95 %).
    """

    def draw(figure: "Figure") -> None:
        axes = figure.subplots()
        on_front = front(contenders)
        for number, (one, best) in enumerate(zip(contenders, on_front, strict=True), 1):
            low, high = one.as_json()["interval"]
            reach = [[max(0.0, one.accuracy - low)], [max(0.0, high - one.accuracy)]]
            colour = GOOD if best else BAR
            axes.errorbar([one.latency.p50_ms], [one.accuracy], reach, fmt="o", color=colour, markersize=5, capsize=2)
            place = (one.latency.p50_ms, one.accuracy)
            axes.annotate(str(number), place, xytext=(6, 5), textcoords="offset points", fontweight="bold")
        best_ones = sorted(
            (one.latency.p50_ms, one.accuracy) for one, best in zip(contenders, on_front, strict=True) if best
        )
        axes.step(*zip(*best_ones, strict=True), where="post", color=GOOD, linewidth=1)
        axes.margins(x=0.25)
        axes.set_xlim(left=0)
        axes.set(xlabel="p50 latency of one picture, ms", ylabel="accuracy")

    return _svg(draw, 6.2, 3.6)


def _svg(draw: "Callable[[Figure], None]", width: float, height: float) -> str:
    """Return what ``draw`` puts on a figure (inches), as an SVG element without ids that a page may have, too."""
    from matplotlib import rc_context  # noqa: PLC0415 - takes half a second to import
    from matplotlib.figure import Figure  # noqa: PLC0415 - as above

    data = io.StringIO()
    with rc_context(dict(STYLE)):
        figure = Figure(figsize=(width, height))
        draw(figure)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(data, format="svg", transparent=True, metadata=nothing)
    text = data.getvalue()
    text = re.sub(r'<g id="[^"]*">', "<g>", text[text.index("<svg") :])
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)  # it would hold for the whole page
    for drawn, known in COLOURS.items():
        text = text.replace(drawn, known)
    return text
