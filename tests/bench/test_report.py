"""Figures beside their targets, as a table and as JSON."""

import json

import pytest

from bench.report import Figure, Report, as_json, machine, page, table

FIGURES = (Figure("ratio", 0.75, "", 0.8), Figure("speed", 1.1, "", 1.15, "at least"), Figure("memory", 150.4, "MiB"))


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (Figure("x", 0.8, "", 0.8), True),
        (Figure("x", 0.81, "", 0.8), False),
        (Figure("x", 1.15, "", 1.15, "at least"), True),
        (Figure("x", 1.14, "", 1.15, "at least"), False),
        (Figure("x", 1.0), None),
    ],
)
def test_a_target_is_met_or_not(figure: Figure, met: bool | None) -> None:
    """A bound counts as met when it is just reached; without a target there is no verdict."""
    assert figure.met is met


def test_the_table_is_markdown() -> None:
    """One row a figure, with its target and verdict, in columns of one width."""
    lines = table(Report("start", FIGURES)).splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[1:-1]] == ["start", "measured", "target", ""]
    assert [cell.strip() for cell in lines[3].split("|")[1:-1]] == ["speed", "1.1", "at least 1.15", "missed"]
    assert [cell.strip() for cell in lines[4].split("|")[1:-1]] == ["memory", "150 MiB", "", ""]
    assert len({len(line) for line in lines}) == 1


def test_the_page_names_machine_and_versions() -> None:
    """The page of the docs holds the machine, the versions, each table and what its figures were made of."""
    where = machine()
    text = page([Report("http", FIGURES, {"model": "parts:1", "8 clients": {"http": [{"per_s": 1.5}]}})], where)
    assert text.startswith("# Benchmarks\n")
    assert f"{where['cores']} cores" in text
    assert f"pillow {where['packages']['pillow']}" in text
    assert "| speed  | 1.1      | at least 1.15 | missed |" in text
    assert '{"model": "parts:1"}\n{"8 clients | http": [{"per_s": 1.5}]}' in text


def test_json_carries_everything() -> None:
    """Figures, details and the machine survive a round through JSON."""
    found = json.loads(json.dumps(as_json([Report("start", FIGURES, {"starts_s": [1.0]})], machine())))
    assert found["benchmarks"][0]["figures"][0] == {
        "name": "ratio", "value": 0.75, "unit": "", "target": 0.8, "wanted": "at most", "met": True,
    }  # fmt: skip
    assert found["benchmarks"][0]["details"] == {"starts_s": [1.0]}
    assert found["machine"]["cores"] >= 1
    assert found["machine"]["packages"]["pillow"]
