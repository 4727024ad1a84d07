"""README and docs tell the truth that a program can check: links, targets, commands, configurations, form."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from edge.cli.root import root
from edge.config import load
from tests.command_reference import PAGE as COMMANDS_PAGE
from tests.command_reference import page_with_commands
from training.cli.root import main as training_root

PROJECT = Path(__file__).parents[1]
DECISIONS = sorted((PROJECT / "docs/decisions").glob("*.md"))
PAGES = [PROJECT / "README.md", PROJECT / "CHANGELOG.md", *sorted((PROJECT / "docs").rglob("*.md"))]
PROGRAMS = {"automl-edge": root, "automl-train": training_root}
COLUMNS = 128
MEASURED = "benchmarks.md"
"""A page that a program writes."""

each_page = pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(PROJECT).as_posix() for page in PAGES])


def blocks(page: Path, *kinds: str) -> list[str]:
    """Return the contents of a page's code blocks of these kinds."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [text for kind, text in found if kind in kinds]


def prose(page: Path) -> str:
    """Return a page without its code blocks."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as code forges make them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of every command of ours in a page's shell blocks."""
    for text in blocks(page, "sh", "console"):
        lines = text.replace("\\\n", " ").splitlines()
        shown = any(line.startswith("$ ") for line in lines)
        for line in lines:
            if shown and not line.startswith("$ "):
                continue
            words = shlex.split(line.removeprefix("$ "), comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                words = words[1:]
            if words and Path(words[0]).name in PROGRAMS:
                yield words


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file or folder that is there, and an anchor that is on its page."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+://", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert there.is_relative_to(PROJECT), target
        assert not anchor or anchor in anchors(there), target


@each_page
def test_lines_fit_a_screen(page: Path) -> None:
    """Text is wrapped; rows of tables and what programs wrote are as long as they are."""
    if page.name == MEASURED:
        return
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if len(line) > COLUMNS and not line.startswith("|")] == []


@each_page
def test_code_blocks_tell_their_kind(page: Path) -> None:
    """So that these tests, and what shows the page, know what they are."""
    fences = re.findall(r"^```(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(fences[::2]) <= {"sh", "console", "text", "toml", "json", "promql"}
    assert set(fences[1::2]) <= {""}


@each_page
def test_commands_are_there(page: Path) -> None:
    """Every command of ours in a shell block exists with all its options."""
    for words in commands(page):
        name, *rest = words
        command: click.Command = PROGRAMS[Path(name).name]
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), rest[0])
            assert found is not None, words
            command, rest = found, rest[1:]
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        given = {word.partition("=")[0] for word in rest if word.startswith("-") and len(word) > 1}
        assert given <= options | {"--help"}, words


def test_commands_are_described_as_they_are() -> None:
    """docs/reference/commands.md tells what help tells; else run ``python -m tests.command_reference``."""
    page = COMMANDS_PAGE.read_text(encoding="utf-8")
    assert page_with_commands(page) == page


@each_page
def test_make_targets_are_there(page: Path) -> None:
    """Every ``make X`` stands in the Makefile, with the line that ``make help`` shows."""
    targets = set(re.findall(r"^(\w+):.*  ## \S", (PROJECT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    inline = re.findall(r"`make (\w+)", prose(page))
    shell = re.findall(r"^(?:\$ )?make (\w+)", "\n".join(blocks(page, "sh", "console")), re.MULTILINE)
    assert {*inline, *shell} <= targets


@each_page
def test_configurations_load(page: Path, tmp_path: Path) -> None:
    """Every TOML block is a whole and valid configuration."""
    for text in blocks(page, "toml"):
        file = tmp_path / "edge.toml"
        file.write_text(text)
        password = {"EDGE_MQTT__PASSWORD": "from the environment"} if "username" in text else {}
        load(file, password)


@each_page
def test_json_is_json(page: Path) -> None:
    """Every JSON block can be read, as a whole or line by line."""
    for text in blocks(page, "json"):
        for part in [text] if page.name != MEASURED else text.splitlines():
            json.loads(part)


def test_the_readme_names_the_two_commands_and_shows_a_picture() -> None:
    """What a stranger needs first."""
    shell = blocks(PROJECT / "README.md", "sh")[0].splitlines()
    assert [line.split("  ")[0] for line in shell] == ["make run", "make test"]
    (picture,) = re.findall(r"!\[.+\]\((.+)\)", prose(PROJECT / "README.md"))
    assert (PROJECT / picture).read_bytes().startswith(b"\x89PNG")
    assert (PROJECT / picture).stat().st_size < 200_000


def test_every_page_can_be_found_from_the_readme() -> None:
    """A page that nothing links to is lost."""
    readme = prose(PROJECT / "README.md")
    pages = {page.relative_to(PROJECT).as_posix() for page in PAGES[2:] if page not in DECISIONS}
    assert pages - set(re.findall(r"\]\(([^)#\s]+)", readme)) == set()


def test_every_room_is_on_the_map() -> None:
    """The page of rooms names each room of the edge, and no room or module that is not there."""
    text = (PROJECT / "docs/reference/where-logic-lives.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:edge|training|tests)/[\w/.]+)`", text))
    rooms = {
        f"edge/{room.name}" for room in (PROJECT / "edge").iterdir() if room.name[0] != "_" and room.suffix != ".typed"
    }
    assert rooms - named == set()
    modules = {path.as_posix() for part in ("edge", "training") for path in (PROJECT / part).rglob("*.py")}
    alone = set(re.findall(r"`([\w/]+\.py)`", text))
    assert [name for name in named if not (PROJECT / name).exists()] == []
    assert [name for name in alone if not any(path.endswith(f"/{name}") for path in modules)] == []


def test_decisions_are_numbered_and_alike() -> None:
    """From 0001 without gaps, each with the same headings."""
    assert [page.name[:4] for page in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]
    for page in DECISIONS:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {page.name[:4]} — ")
        assert "\n\nStatus: accepted\n\n" in text
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
