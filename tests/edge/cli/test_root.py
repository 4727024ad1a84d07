"""The root command: help, version, and errors as a person reads them."""

import errno
import subprocess
import sys
from typing import Any

import click
import pytest
from click.testing import CliRunner

from edge.cli.root import COMMANDS, Root, fault_of, root
from edge.errors import ConfigError, EdgeError, ModelNotFoundError
from tests.edge.cli.conftest import Cli


def test_help_names_every_command(cli: Cli) -> None:
    """Asking for help, with -h too, lists the commands and leaves with 0."""
    for option in ("-h", "--help"):
        result = cli(option)
        assert result.exit_code == 0
        assert all(name in result.stdout and text in result.stdout for name, (_, text) in COMMANDS.items())


@pytest.mark.parametrize("name", COMMANDS)
def test_help_agrees_with_each_commands_own(name: str) -> None:
    """The line that help shows without importing a command is the one that the command itself has."""
    command = root.get_command(click.Context(root), name)
    assert command is not None
    assert command.name == name
    assert command.get_short_help_str(limit=100) == COMMANDS[name][1]


def test_help_imports_nothing_heavy() -> None:
    """Help starts fast, because no command and no library behind one is imported for it."""
    code = "import sys; from edge.cli import root; root(['-h'], standalone_mode=False); print(sorted(sys.modules))"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("'numpy'", "'onnxruntime'", "'cv2'", "'pydantic'", "'fastapi'", "'rich'"):
        assert heavy not in modules


def test_version(cli: Cli) -> None:
    """The version is shown, or that it is not known where the package is not installed."""
    result = cli("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("automl-edge ")


@pytest.mark.parametrize(
    "arguments", [["chek"], ["predict"], ["check", "--jsn"], ["models", "lst"], ["bench", "--seconds", "x"]]
)
def test_wrong_usage_leaves_with_2(cli: Cli, arguments: list[str]) -> None:
    """What is typed wrong is told with the usage, on standard error."""
    result = cli(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: automl-edge")


@pytest.mark.parametrize(
    ("error", "text", "exit_code"),
    [
        (ConfigError("http.port: wrong"), "error: http.port: wrong\n", 2),
        (ConfigError("one\ntwo"), "error: 2 problems\n  one\n  two\n", 2),
        (ModelNotFoundError("no model a:1"), "error: no model a:1\n", 1),
        (EdgeError("first\nsecond"), "error: first; second\n", 1),
        (KeyboardInterrupt(), "error: interrupted\n", 130),
    ],
)
def test_errors_become_a_text_and_an_exit_code(error: BaseException, text: str, exit_code: int) -> None:
    """Our own errors are told as they are; nobody sees a traceback."""
    result = CliRunner().invoke(failing_with(error), ["fail"])
    assert (result.stderr.lstrip("\n"), result.exit_code) == (text, exit_code)


def test_a_fault_of_our_own_is_no_traceback_either() -> None:
    """What nobody foresaw is named, with how to see more, and leaves with 1."""
    result = CliRunner().invoke(failing_with(KeyError("x")), ["fail"])
    assert result.exit_code == 1
    assert result.stderr.startswith("error: a fault in automl-edge itself")
    assert "--debug" in result.stderr
    assert "Traceback" not in result.output


def test_a_full_disk_is_no_fault_of_ours() -> None:
    """Where the output goes to a full disk, that is said, with the remedy."""
    result = CliRunner().invoke(failing_with(OSError(errno.ENOSPC, "No space left", "rows.csv")), ["fail"])
    assert (result.stderr, result.exit_code) == (
        "error: the disk is full (rows.csv): free space, or write elsewhere\n",
        1,
    )


def test_closed_standard_streams_are_filled() -> None:
    """Started with all three closed, a program can write to them, and its files get other numbers."""
    code = "import sys; from edge.cli import fill_standard_streams as fill; fill(); print(sys.stdout.isatty(), "
    code += "sys.stderr.isatty()); sys.exit(open('/dev/null').fileno() < 3)"
    shell = ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, code]
    assert subprocess.run(shell, check=False).returncode == 0


def test_debug_lets_errors_through() -> None:
    """With --debug the error itself comes out, and python prints its traceback."""
    result = CliRunner().invoke(failing_with(KeyError("x")), ["--debug", "fail"])
    assert isinstance(result.exception, KeyError)


def test_fault_keeps_its_cause_short() -> None:
    """A text of several lines becomes one."""
    assert "\n" not in fault_of(RuntimeError("a\nb")).message


def failing_with(error: BaseException) -> click.Group:
    """Return a root whose one command raises ``error``."""

    class Failing(Root):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:  # noqa: ARG002 - click's signature
            return click.Command(cmd_name, callback=fail)

    def fail() -> Any:
        raise error

    return Failing("automl-edge", params=list(root.params), callback=lambda debug: None)  # noqa: ARG005 - as the root's
