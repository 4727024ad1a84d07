"""Which workspace is meant: told, in the environment, in a file of one of Azure's tools."""

import json
from pathlib import Path

import pytest

from edge.azureml.place import Workspace
from training.azure.workspaces import find_workspace
from training.errors import UsageError

WRITTEN = {"subscription_id": "sub", "resource_group": "plant", "workspace_name": "vision"}
FOUND = Workspace("sub", "plant", "vision")
NOTHING: dict[str, str | None] = {"subscription_id": None, "resource_group": None, "workspace": None}
INI = "[azureml]\nsubscription_id = sub\nresource_group = plant\nworkspace_name = vision\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", json.dumps(WRITTEN)),
        ("config.json", "\ufeff" + json.dumps({**WRITTEN, "more": [1]})),
        ("config.json", json.dumps({"Subscription_Id": "sub", "Resource_Group": "plant", "Workspace_Name": "vision"})),
        ("config.json", json.dumps({"subscription": "sub", "resource-group": "plant", "workspace": "vision"})),
        (".azureml/config.json", json.dumps(WRITTEN)),
        ("aml_config/config.json", json.dumps(WRITTEN)),
        ("config.ini", INI),
        ("config.ini", INI.partition("\n")[2]),
        ("config.ini", "[azure]\nsubscription_id = sub\n[aml]\nresource_group = plant\nworkspace_name: vision\n"),
        ("config.ini", "\ufeff# of the plant\n" + INI.partition("\n")[2]),
        ("config.ini", "; 100 % ours\n\n" + INI.replace("sub\n", '"sub"\n')),
    ],
)
def test_files_are_read_in_every_form(tmp_path: Path, name: str, text: str) -> None:
    """With a byte order mark, other spellings, sections or none, comments, quotes; from folders below as well."""
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    assert find_workspace(NOTHING, None, below) == FOUND
    assert find_workspace(NOTHING, file, Path("/")) == FOUND


def test_what_is_told_counts_before_what_is_written(tmp_path: Path) -> None:
    """A part that is told replaces that part only; told wholly, a broken file does not matter."""
    (tmp_path / "config.json").write_text(json.dumps(WRITTEN))
    told = {**NOTHING, "workspace": "other"}
    assert find_workspace(told, None, tmp_path) == Workspace("sub", "plant", "other")
    (tmp_path / "config.json").write_text("{")
    wholly: dict[str, str | None] = {"subscription_id": "a", "resource_group": "b", "workspace": "c"}
    assert find_workspace(wholly, None, tmp_path) == Workspace("a", "b", "c")


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    """Of a folder and those above it."""
    (tmp_path / "config.json").write_text(json.dumps({**WRITTEN, "workspace_name": "far"}))
    near = tmp_path / "near"
    near.mkdir()
    (near / "config.json").write_text(json.dumps(WRITTEN))
    assert find_workspace(NOTHING, None, near) == FOUND


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.json", json.dumps({"model": {"layers": 3}})),
        ("config.json", json.dumps([1, 2])),
        ("config.json", "{"),
        ("config.ini", "[build]\njobs = 4\n"),
    ],
)
def test_somebody_elses_file_of_that_name_is_passed_over(tmp_path: Path, name: str, text: str) -> None:
    """Many programs have a config.json: the search goes on above it."""
    (tmp_path / "config.json").write_text(json.dumps(WRITTEN))
    near = tmp_path / "near"
    near.mkdir()
    (near / name).write_text(text)
    assert find_workspace(NOTHING, None, near) == FOUND


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("config.json", "{", "cannot be read as a workspace's file"),
        ("config.json", "[1]", "cannot be read as a workspace's file"),
        ("config.json", "\x00\x01", "cannot be read as a workspace's file"),
        ("config.ini", "no sense", "cannot be read as a workspace's file"),
        ("config.json", json.dumps({**WRITTEN, "subscription_id": ""}), "subscription_id missing.*has none"),
        ("config.json", json.dumps({**WRITTEN, "resource_group": {"a": 1}}), "resource_group missing"),
        ("config.json", "{}", "subscription_id, resource_group, workspace missing"),
    ],
)
def test_a_file_that_is_named_and_makes_no_sense_is_an_error(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    """It was meant, so nothing else is taken in its place."""
    (tmp_path / "config.json").write_text(json.dumps(WRITTEN))
    file = tmp_path / "mine" / name
    file.parent.mkdir()
    file.write_text(text)
    with pytest.raises(UsageError, match=message):
        find_workspace(NOTHING, file, tmp_path)


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    """As is a file that is not there."""
    file = tmp_path / "config.json"
    file.write_bytes(b"\xff\xfe\x00\xd8")
    for wrong in (file, tmp_path / "nowhere.json"):
        with pytest.raises(UsageError, match="cannot be read"):
            find_workspace(NOTHING, wrong, tmp_path)


def test_without_anything_the_error_tells_all_the_ways(tmp_path: Path) -> None:
    """Options, environment, file."""
    with pytest.raises(UsageError) as raised:
        find_workspace(NOTHING, None, tmp_path)
    for way in ("--subscription", "AZUREML_ARM_SUBSCRIPTION", "config.json", str(tmp_path)):
        assert way in str(raised.value)
