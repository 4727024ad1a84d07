"""``automl-edge check``."""

import json
import tomllib
from pathlib import Path

from edge.config import load
from tests.edge.cli.conftest import Cli

TEXT = """
[model]
name = "parts"
[http]
token = "correct-horse"
[session]
batch_sizes = [1, 4]
[mqtt]
host = "bröker"
[[source]]
kind = "folder"
name = "in"
path = "in"
[[source]]
kind = "playback"
name = "film"
path = "film.mp4"
fps = 2
"""


def test_what_is_shown_is_a_configuration_again(cli: Cli, tmp_path: Path) -> None:
    """The output is TOML that resolves to the same configuration, but for the secrets."""
    path = tmp_path / "edge.toml"
    path.write_text(TEXT, encoding="utf-8")
    shown = cli("check", "-c", path).stdout
    assert "correct-horse" not in shown
    again = tmp_path / "again/edge.toml"
    again.parent.mkdir()
    again.write_text(shown, encoding="utf-8")
    token = {"EDGE_HTTP__TOKEN": "correct-horse"}
    assert load(again, token) == load(path, token)
    assert tomllib.loads(shown)["source"][0]["path"] == str(tmp_path / "in")


def test_json_is_for_programs(cli: Cli) -> None:
    """--json prints one object; the environment is taken into account."""
    result = cli("check", "--json", EDGE_HTTP__PORT="9000")
    assert json.loads(result.stdout)["http"]["port"] == 9000
    assert result.exit_code == 0


def test_every_problem_is_shown_with_exit_code_2(cli: Cli, tmp_path: Path) -> None:
    """Two problems make a count and two lines on standard error, and nothing on standard output."""
    path = tmp_path / "edge.toml"
    path.write_text('[http]\nport = "x"\nprot = 1\n')
    result = cli("check", "-c", path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        "error: 2 problems",
        f"  {path}: http.port: must be a whole number, got 'x'",
        f"  {path}: http.prot: no such key; did you mean port?",
    ]


def test_one_problem_is_one_line(cli: Cli, tmp_path: Path) -> None:
    """A missing file is told in one line."""
    result = cli("check", "-c", tmp_path / "no.toml")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {tmp_path / 'no.toml'}: no such file")
