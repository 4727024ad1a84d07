"""The pages about sweeps say what the code does, and what they show can be copied."""

import re
from pathlib import Path

from tests.training.local.sweep.space_file_reference import PAGE, page_with_tables
from training.local.sweep.space_file import read_space_file

PROJECT = Path(__file__).parents[4]
GUIDE = PROJECT / "docs/how-to/explore-hyperparameters.md"


def test_the_reference_is_up_to_date() -> None:
    """It holds the tables; else run ``python -m tests.training.local.sweep.space_file_reference``."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with_tables(page)


def test_the_reference_names_the_examples() -> None:
    """Each in docs/sweeps."""
    page = PAGE.read_text(encoding="utf-8")
    names = [example.name for example in (PROJECT / "docs/sweeps").glob("*.toml")]
    assert len(names) >= 3
    assert [name for name in names if f"(../sweeps/{name})" not in page] == []


def test_the_guide_s_file_is_right(tmp_path: Path) -> None:
    """What is shown there can be copied."""
    (block,) = re.findall(r"^```text\n(task = .*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (tmp_path / "data/surfaces").mkdir(parents=True)
    (tmp_path / "space.toml").write_text(block)
    assert read_space_file(tmp_path / "space.toml").planned == 12
