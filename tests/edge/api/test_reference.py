"""The reference tells what the code does: routes, statuses and metrics cannot drift apart from it."""

import re
from pathlib import Path

import pytest

from edge.api.errors import STATUS
from edge.errors import EdgeError, InputError, ModelError
from tests.edge.api.conftest import Ask

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
BRANCHES = {EdgeError, InputError, ModelError}
ELSEWHERE = {"ConfigError", "SourceError", "PublishError"}
"""Errors that no request meets; the table shows a dash."""


def rows(name: str) -> list[list[str]]:
    """Return the cells of every table row of a reference page."""
    lines = (REFERENCE / name).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]


@pytest.mark.parametrize("kind", [kind for kind in STATUS if kind not in BRANCHES])
def test_every_error_is_in_the_table_with_its_status_and_exit_code(kind: type[EdgeError]) -> None:
    """With what it means and a remedy."""
    row = next(row for row in rows("errors.md") if row[0] == f"`{kind.__name__}`")
    _, means, http, code, remedy = row
    assert means
    assert remedy
    assert http.startswith(str(STATUS[kind])) != (kind.__name__ in ELSEWHERE)
    assert code == ("2" if kind.__name__ == "ConfigError" else "1")


def test_every_route_is_in_the_table(ask: Ask) -> None:
    """Those of the OpenAPI document, and the pages."""
    told = {found for row in rows("http.md") for found in re.findall(r"(GET|POST) (/[^`?]*)", row[0])}
    paths = ask("GET", "/openapi.json").json()["paths"]
    served = {(method.upper(), path) for path, item in paths.items() for method in item}
    assert told == served | {("GET", "/"), ("GET", "/docs"), ("GET", "/openapi.json")}
