"""``automl-edge bench``."""

import json
from pathlib import Path

import pytest

from tests.edge.cli.conftest import Cli
from tests.fakes import make_bundle


def test_every_way_to_run_is_measured(cli: Cli, registry: Path) -> None:
    """Lanes and batches, alone and loaded, give figures that fit together."""
    result = cli("bench", "--registry", registry, "--seconds", "0.1", "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert report["model"] == "colours:2"
    assert {row["case"]["setting"]["shape"] for row in report["rows"]} == {"lanes", "pipeline"}
    assert report["rows"][0]["case"]["clients"] == 1
    for row in report["rows"]:
        assert row["provider"] == "CPUExecutionProvider"
        assert row["pictures"] > 0
        assert 0 < row["p50_ms"] <= row["p95_ms"]


def test_a_table_for_people(cli: Cli, registry: Path, pictures: Path) -> None:
    """One line a way, numbers in columns, with the user's own pictures."""
    (pictures / "more.png").write_bytes((pictures / "red.png").read_bytes())
    result = cli("bench", "--registry", registry, "--seconds", "0.1", "--images", pictures)
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["shape", "workers", "batch", "clients", "per", "s", "p50", "ms", "p95", "ms"]
    assert len({len(line) for line in lines}) == 1
    assert "colours:2 on CPUExecutionProvider, 6 pictures" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--model", "bare"], "the model has no golden pictures: give --images"),
        (["--images", "parts/notes.txt"], "parts/notes.txt: "),
        (["--images", "models"], "no pictures in models"),
    ],
)
@pytest.mark.usefixtures("pictures")
def test_pictures_are_needed(
    cli: Cli, registry: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], text: str
) -> None:
    """Without usable pictures there is nothing to measure, and it is said which one is to blame."""
    make_bundle(registry / "bare/1", name="bare", golden=False)
    (registry / "empty").mkdir()
    monkeypatch.chdir(registry.parent)
    arguments = ["models/empty" if argument == "models" else argument for argument in arguments]
    result = cli("bench", *arguments)
    assert result.exit_code == 1
    assert text in result.stderr
