"""The root command: finds the others by name, imports only the one that is run, and turns errors into exit codes."""

import errno
import importlib
from collections.abc import Mapping
from importlib import metadata
from typing import IO, Any

import click

from edge.cli.notices import shown_warnings
from edge.errors import ConfigError, EdgeError

COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("edge.cli.run:run", "Run the daemon: pictures in, results out over HTTP and MQTT."),
    "predict": ("edge.cli.predict:predict", "Predict pictures and folders of pictures, once."),
    "explain": ("edge.cli.explain:explain", "Show which parts of pictures speak for their class."),
    "models": ("edge.cli.models:models", "List, import, verify, sign, pull, activate and roll back models."),
    "token": ("edge.cli.tokens:token", "Make, list and revoke tokens for the HTTP interface."),
    "check": ("edge.cli.check:check", "Show the resolved configuration, or every problem in it."),
    "doctor": ("edge.cli.doctor:doctor", "Find out what this device can do."),
    "bench": ("edge.cli.bench:bench", "Measure latency and throughput of a model on this device."),
}
"""Where each command lives and its help in one line: asking for help imports none of them."""


class Fault(click.ClickException):
    """Work that failed, as a person reads it."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the error on standard error; several problems one a line."""
        lines = self.message.splitlines()
        text = self.message if len(lines) == 1 else "\n  ".join([f"{len(lines)} problems", *lines])
        click.echo(f"error: {text}", file=file, err=file is None)


class ConfigFault(Fault):
    """A wrong configuration or command line."""

    exit_code = 2


class Interrupted(Fault):
    """Ctrl-C; the exit code is the shells' for SIGINT."""

    exit_code = 130


def fault_of(error: Exception) -> Fault:
    """Return what a person is told about an error."""
    if isinstance(error, ConfigError):
        return ConfigFault(str(error))
    if isinstance(error, EdgeError):
        return Fault(str(error).replace("\n", "; "))
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = error.filename or "where standard output goes"
        return Fault(f"the disk is full ({where}): free space, or write elsewhere")
    place = f"{type(error).__name__}: {error}".replace("\n", "; ")
    return Fault(f"a fault in automl-edge itself, please report it with what --debug prints: {place}")


class Root(click.Group):
    """A group whose commands are imported when they are run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of all commands, in the order of help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Return a command, imported now; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the commands with the help that is known without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and turn what it raises into one text and an exit code."""
        try:
            with shown_warnings():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt as interrupt:
            raise Interrupted("interrupted") from interrupt
        except Exception as error:
            if ctx.params["debug"]:
                raise
            raise fault_of(error) from error


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:  # noqa: ARG001 - click's signature
    if not value or ctx.resilient_parsing:
        return
    try:
        version = metadata.version("automl-edge")
    except metadata.PackageNotFoundError:
        version = "(version unknown: the package is not installed)"
    click.echo(f"automl-edge {version}")
    ctx.exit()


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
@click.option("--debug", is_flag=True, help="Let an error print its traceback.")
def root(debug: bool) -> None:
    """Run ONNX vision models of Azure AutoML for Images on this device."""
