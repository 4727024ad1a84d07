"""Pictures are written as what their names say, also for one value or none that differs."""

from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from training.plots import Dot, draw_bars, draw_trials


def dots(count: int) -> list[Dot]:
    return [
        Dot(
            number,
            0.5 + number / 100,
            f"model{number % 10}",
            number != 1,
            {
                "learning_rate": 10.0 ** -(number % 5 + 1),
                "optimizer": ("sgd", "adam")[number % 2],
                "same": 1,
                "flag": True,
            },
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(("count", "low"), [(1, True), (2, False), (30, True)])
def test_trials_are_drawn(tmp_path: Path, count: int, low: bool) -> None:
    """A picture of a size that a page takes, whatever number of trials."""
    path = tmp_path / "trials.png"
    settings = ["learning_rate", "optimizer", "same", "flag", "unknown"]
    draw_trials(path, dots(count), settings, title="line", unit="accuracy", smaller_is_better=low)
    with Image.open(path) as picture:
        width, height = picture.size
    assert width == 1170
    assert height == (468 if count == 1 else 806)


def test_a_drawing_has_the_names_in_it(tmp_path: Path) -> None:
    """As SVG its words are marked up; settings that do not differ are left out."""
    path = tmp_path / "trials.svg"
    draw_trials(path, dots(30), ["learning_rate", "same"], title="line", unit="accuracy")
    text = path.read_text()
    assert "<!-- learning_rate -->" in text
    assert "<!-- accuracy -->" in text
    assert "<!-- 29: 0.79 -->" in text
    assert "<!-- same -->" not in text


def test_numbers_that_span_decades_have_a_logarithmic_axis(tmp_path: Path) -> None:
    """And those that do not, a plain one; lists are words."""
    path = tmp_path / "trials.svg"
    several = [
        Dot(n, 0.5 + n / 100, settings={"rate": 10.0 ** -(n + 1), "size": 0.5 + n / 10, "grid": [n % 2, 2]})
        for n in range(4)
    ]
    several = [replace(dot, settings={**dot.settings, "decay": 0.001 * 4**dot.number}) for dot in several]
    draw_trials(path, several, ["rate", "size", "grid", "decay"], title="line", unit="accuracy")
    text = path.read_text()
    assert r"<!-- $\mathdefault{10^{-3}}$ -->" in text
    assert "<!-- size -->" in text
    assert "<!-- [0, 2] -->" in text
    assert "<!-- 0.03 -->" in text


def test_a_setting_that_a_trial_lacks_is_drawn_of_the_others(tmp_path: Path) -> None:
    """Conditional spaces give trials different settings."""
    path = tmp_path / "trials.svg"
    mixed = [Dot(0, 0.5, settings={"beta1": 0.9}), Dot(1, 0.6), Dot(2, 0.7, settings={"beta1": 0.8})]
    draw_trials(path, mixed, ["beta1"], title="line", unit="accuracy")
    assert "<!-- beta1 -->" in path.read_text()


def test_bars(tmp_path: Path) -> None:
    """The figures stand beside the bars."""
    path = tmp_path / "bars.svg"
    draw_bars(path, ["accuracy"], [0.875], title="line", unit="value")
    assert "<!-- 0.875 -->" in path.read_text()
