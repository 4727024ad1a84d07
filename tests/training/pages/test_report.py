"""The report of an evaluation: one page, for any classes and any answers."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("jinja2")
pytest.importorskip("matplotlib")
pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from tests.training.answered import answers_of, judgement_of, multilabel_answers
from training.answers import LeftOut
from training.comparison import Latency, Paired
from training.dataset.records import Record
from training.errors import DataError
from training.judgement import Judgement
from training.pages.report import report_html, write_report

NASTY = ("<script>alert(1)</script>", "Kratzer & Öl", "傷 $x^2$", "[bold]a\"b'")
MIXED = answers_of(np.random.default_rng(0).normal(0, 2, (60, 4)), [number % 4 for number in range(60)], NASTY)


class Page(HTMLParser):
    """Collects a page's elements and where they lead to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.places: list[str] = []
        self.ids: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.places += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        self.ids += [value or "" for name, value in attrs if name == "id"]


def test_needs_nothing_beside_it() -> None:
    """Nothing on the page leads out of it, nothing runs, and its policy allows neither."""
    page = report_html(judgement_of(MIXED))
    found = Page(page)
    assert "script" not in found.tags
    assert all(place.startswith(("data:", "#")) for place in found.places)
    assert not re.search(r"@import|url\((?!#)", page)
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page


def test_names_are_text() -> None:
    """Class names with markup, formulas and letters of other scripts are shown as they are."""
    page = report_html(judgement_of(MIXED))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "傷 $x^2$" in page
    assert "Kratzer &amp; Öl" in page


@pytest.mark.parametrize(
    "judgement",
    [
        pytest.param(judgement_of(answers_of([[4.0, 0.0], [0.0, 4.0]] * 3, [0, 1] * 3)), id="no mistake"),
        pytest.param(judgement_of(answers_of([[4.0]] * 3, [0] * 3)), id="one class"),
        pytest.param(judgement_of(answers_of([[4.0, 1.0]], [1])), id="one picture, wrong"),
        pytest.param(
            judgement_of(
                answers_of(
                    np.random.default_rng(1).normal(0, 1, (400, 200)),
                    [number % 150 for number in range(400)],
                    [f"class {number}" for number in range(200)],
                )
            ),
            id="200 classes, 50 without pictures",
        ),
        pytest.param(
            judgement_of(multilabel_answers([[2, -2, 1], [1, 1, -3]], [[1, 0, 0], [1, 0, 0]])), id="multi-label"
        ),
        pytest.param(judgement_of(multilabel_answers([[-2, -2]], [[0, 0]])), id="no label at all"),
    ],
)
def test_any_answers_make_a_page(judgement: Judgement) -> None:
    """Every section is there whatever was answered."""
    page = report_html(judgement)
    headings = re.findall("<h2>(.*?)</h2>", page)
    assert headings[:2] == ["Metrics", "Confusion"]
    assert headings[-1] == "How it was judged"
    assert "nan" not in re.sub("<svg.*?</svg>", "", page, flags=re.DOTALL)


def test_left_out_and_compared() -> None:
    """Pictures that were not judged are named; several bundles have their table and their plot."""
    first = judgement_of(MIXED).contenders[0]
    other = replace(first, name="small:2", latency=Latency(0.5, 0.6, 40), paired=Paired(60, 1, 6, 0.125))
    out = [LeftOut(Record(Path("broken.png"), ("傷",)), "is cut off")]
    page = report_html(judgement_of(MIXED, left_out=out, contenders=[first, other]))
    assert "broken.png" in page
    assert "is cut off" in page
    assert page.count("<svg") == 3
    assert "small:2: accuracy -0.0833" in page


def test_written_in_one_step(tmp_path: Path) -> None:
    """The file is there whole; where it cannot be written, that is said and nothing is left."""
    write_report(tmp_path / "report.html", judgement_of(MIXED))
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    with pytest.raises(DataError, match="cannot be written"):
        write_report(tmp_path / "missing" / "report.html", judgement_of(MIXED))
