"""Pictures of figures, for people. The only owner of matplotlib, which takes half a second to import."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#2f6f9f", "#d1762b", "#4d8f4d", "#8a5ca8", "#b5485d", "#6b6b6b", "#2a9d9d", "#b59a2b")
"""Told apart also by who sees red and green alike, by lightness; past them, groups share the last one."""
MOST_PANELS = 6
WIDTH_IN, PANEL_IN = 9.0, 2.6
MOST_WORDS = 5
"""Numbers with no more values than this, and not all of them different, are choices, drawn side by side."""
GOLDEN = 0.618
DECADES = 20.0
"""From this ratio of largest to smallest on, an axis is logarithmic."""


@dataclass(frozen=True, slots=True)
class Dot:
    """A trial in a picture: ``group`` gives its colour, ``done`` whether its value may still change."""

    number: int
    value: float
    group: str = ""
    done: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)


def draw_bars(path: Path, names: Sequence[str], values: Sequence[float], *, title: str, unit: str) -> None:
    """Write horizontal bars, the first one on top, as PNG or SVG by the path's suffix. Raises OSError."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - see above

    figure = Figure(figsize=(8, 1.2 + 0.35 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(list(names), list(values), color=COLOURS[0])
    axes.bar_label(bars, fmt="%.4g", padding=3)
    axes.invert_yaxis()
    axes.set(title=title, xlabel=unit)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def draw_trials(
    path: Path, dots: Sequence[Dot], settings: Sequence[str], *, title: str, unit: str, smaller_is_better: bool = False
) -> None:
    """Write how trials did, in their order with the best so far, and by each of the ``settings``; PNG or SVG by suffix.

    At most :data:`MOST_PANELS` settings are drawn, the first ones that differ. Raises OSError.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - see above

    shown = [name for name in settings if len({str(dot.settings.get(name)) for dot in dots}) > 1][:MOST_PANELS]
    rows = math.ceil(len(shown) / 3)
    figure = Figure(figsize=(WIDTH_IN, 3.6 + PANEL_IN * rows), layout="constrained")
    top, *below = figure.subfigures(1 + rows, 1, height_ratios=[3.6, *[PANEL_IN] * rows], squeeze=False)[:, 0]
    colours = _colours(dots)
    axes = top.subplots()
    _draw_order(axes, dots, colours, smaller_is_better=smaller_is_better)
    axes.set_title(title, loc="left", fontweight="bold")
    axes.set(xlabel="trial", ylabel=unit)
    if len(colours) > 1:
        top.legend(fontsize="small", frameon=False, ncols=6, loc="outside lower center")
    for row, subfigure in enumerate(below):
        panels = subfigure.subplots(1, 3, sharey=True, squeeze=False)[0]
        for panel, name in zip(panels, shown[row * 3 : row * 3 + 3], strict=False):
            _draw_setting(panel, name, [dot for dot in dots if name in dot.settings], colours)
        for panel in panels[len(shown[row * 3 : row * 3 + 3]) :]:
            panel.set_visible(False)
        panels[0].set_ylabel(unit)
    _save(figure, path)


def _save(figure: "Figure", path: Path) -> None:
    figure.savefig(path, dpi=130)


def _colours(dots: Sequence[Dot]) -> Mapping[str, str]:
    """Return each group's colour, the largest group's first."""
    counts = {group: sum(dot.group == group for dot in dots) for group in dict.fromkeys(dot.group for dot in dots)}
    ordered = sorted(counts, key=lambda group: -counts[group])
    return {group: COLOURS[min(index, len(COLOURS) - 1)] for index, group in enumerate(ordered)}


def _draw_order(axes: "Axes", dots: Sequence[Dot], colours: Mapping[str, str], *, smaller_is_better: bool) -> None:
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - see above

    ordered = sorted(dots, key=lambda dot: dot.number)
    better = min if smaller_is_better else max
    best = [better(dot.value for dot in ordered[: index + 1]) for index in range(len(ordered))]
    numbers = [dot.number for dot in ordered]
    axes.step(numbers, best, where="post", color="#b0b0b0", linewidth=1.5, zorder=1)
    _scatter(axes, ordered, [dot.number for dot in ordered], colours, label=True)
    winner = better(ordered, key=lambda dot: dot.value)
    axes.annotate(
        f"{winner.number}: {winner.value:.4g}",
        (winner.number, winner.value),
        xytext=(0, -14 if smaller_is_better else 8),
        textcoords="offset points",
        ha="center",
        fontsize="small",
        fontweight="bold",
    )
    axes.margins(y=0.15)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _tidy(axes)


def _draw_setting(axes: "Axes", name: str, dots: Sequence[Dot], colours: Mapping[str, str]) -> None:
    values = [dot.settings[name] for dot in dots]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    words = list(dict.fromkeys(map(str, sorted(values) if numeric else sorted(map(str, values)))))
    repeated = len(words) < len(values) or all(isinstance(value, int) for value in values)
    if numeric and not (repeated and len(words) <= MOST_WORDS):
        places = [float(value) for value in values]
        _scale(axes, min(places), max(places))
    else:
        # side by side where trials did alike: by a fixed rule, so that the same trials make the same picture
        places = [words.index(str(dot.settings[name])) + (dot.number * GOLDEN % 1 - 0.5) * 0.3 for dot in dots]
        axes.set_xticks(range(len(words)), words, rotation=30 if max(map(len, words)) * len(words) > 24 else 0)
        axes.set_xlim(-0.5, len(words) - 0.5)
    _scatter(axes, dots, places, colours)
    axes.set_xlabel(name, fontsize="small")
    axes.tick_params(labelsize="small")
    _tidy(axes)


def _scale(axes: "Axes", least: float, most: float) -> None:
    """Give the axis few enough numbers that they stand side by side; a logarithmic one where they span decades."""
    from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter  # noqa: PLC0415 - see above

    if least <= 0 or most / least < DECADES:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
        return
    axes.set_xscale("log")
    axes.xaxis.set_minor_formatter(NullFormatter())
    if most / least < 1000:  # too few powers of ten to read values by
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
        axes.xaxis.set_major_formatter(FormatStrFormatter("%g"))


def _scatter(
    axes: "Axes", dots: Sequence[Dot], places: Sequence[float], colours: Mapping[str, str], *, label: bool = False
) -> None:
    """Draw dots by group: filled when done, hollow while the value may change."""
    for group, colour in colours.items():
        mine = [(place, dot) for place, dot in zip(places, dots, strict=True) if dot.group == group]
        axes.scatter(
            [place for place, _ in mine],
            [dot.value for _, dot in mine],
            s=26,
            facecolors=[colour if dot.done else "white" for _, dot in mine],
            edgecolors=colour,
            alpha=0.85,
            zorder=2,
        )
        if label:
            axes.scatter([], [], s=26, color=colour, label=group)  # as it is when done, whatever it is now


def _tidy(axes: "Axes") -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e8e8e8", linewidth=0.8)
    axes.set_axisbelow(True)
