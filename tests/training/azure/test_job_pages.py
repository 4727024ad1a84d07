"""The reference of job files says what the code does, and the examples can be submitted."""

import re
from pathlib import Path

import pytest

from tests.training.azure.job_file_reference import PAGE, page_with_tables
from training.azure.job_file import read_job_file
from training.search_space import SAMPLED

PROJECT = Path(__file__).parents[3]
EXAMPLES = sorted((PROJECT / "docs/jobs").glob("*.toml"))
GUIDE = PROJECT / "docs/how-to/submit-a-job.md"


def test_the_reference_is_up_to_date() -> None:
    """docs/reference/job-file.md holds the tables; else run ``python -m tests.training.azure.job_file_reference``."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with_tables(page)


def test_the_reference_tells_what_each_sampling_takes() -> None:
    """By each distribution's row."""
    rows = re.findall(r"^\| `(\w+)` \| .* \| ([\w, ]+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {kind: set(by.split(", ")) for kind, by in rows if kind in SAMPLED["random"]}
    assert told == {kind: {by for by in SAMPLED if kind in SAMPLED[by]} for kind in SAMPLED["random"]}


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name for example in EXAMPLES])
def test_examples_are_right(example: Path) -> None:
    """Each is named in the reference, and its first line says what it is."""
    read_job_file(example)
    assert f"(../jobs/{example.name})" in PAGE.read_text(encoding="utf-8")
    assert example.read_text(encoding="utf-8").startswith("# ")


def test_the_guide_s_job_is_right(tmp_path: Path) -> None:
    """What is shown there can be copied."""
    (block,) = re.findall(r"^```text\n(task = .*?)^```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    file = tmp_path / "job.toml"
    file.write_text(block)
    assert read_job_file(file).task == "image-classification"
