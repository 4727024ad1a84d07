"""Writes the tables of the reference of sweeps: ``python -m tests.training.local.sweep.space_file_reference``."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from tests.training.azure.job_file_reference import keys
from training.local.sweep.space_file import FitTable, SweepFile
from training.sweep_schema import Bandit, Limits, MedianStopping, Sweep, TruncationSelection

PAGE = Path(__file__).parents[4] / "docs/reference/sweep.md"
BEGIN, END = "<!-- keys: written by tests/training/local/sweep/space_file_reference.py -->", "<!-- end of keys -->"
SECTIONS: Mapping[str, type[BaseModel]] = {
    "At the top": SweepFile,
    "[limits]": Limits,
    "[fit]": FitTable,
    "[sweep]": Sweep,
    'early_termination with type = "bandit"': Bandit,
    'early_termination with type = "median_stopping"': MedianStopping,
    'early_termination with type = "truncation_selection"': TruncationSelection,
}


def page_with_tables(page: str) -> str:
    """Return the page with what stands between its markers written anew."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{keys(SECTIONS)}\n\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page_with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
