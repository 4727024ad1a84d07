"""The root command: imports only the command that runs and turns errors into one line and an exit code."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import click

from edge.errors import EdgeError
from training.errors import TrainingError, UsageError

COMMANDS: Mapping[str, tuple[str, str]] = {
    "data": ("training.cli.data:data", "Check labelled pictures, upload them to Azure, draw some."),
    "fit": ("training.cli.fit:fit", "Train a network and end with a proven bundle."),
    "crossvalidate": ("training.cli.crossvalidate:crossvalidate", "Judge a recipe on pictures it has not seen."),
    "evaluate": ("training.cli.evaluate:evaluate", "Judge a bundle exactly as the edge runs it."),
    "azure": ("training.cli.azure:azure", "Azure AutoML for Images: data, jobs, bundles, models, endpoints."),
}
"""Where each command lives and its help in one line: asking for help imports none of them."""
EXTRAS: Mapping[str, str] = {
    **dict.fromkeys(("torch", "onnx", "onnxruntime"), "cpu,train"),
    **dict.fromkeys(("azure", "matplotlib", "packaging"), "azure"),
}
"""Which extra installs a package that not everybody needs."""


class Fault(click.ClickException):
    """Work that failed, as one line for a person."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line on standard error."""
        click.echo(f"error: {self.message}", file=file, err=file is None)


class UsageFault(Fault):
    """A request for something that does not exist."""

    exit_code = 2


class Interrupted(Fault):
    """Ctrl-C; the exit code is the shells' for SIGINT."""

    exit_code = 130


class Root(click.Group):
    """A group whose commands are imported when they run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of all commands, in the order of help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Return a command, imported now; None where there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        with _told_what_to_install(lambda: cmd_name):
            command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the commands with the help that is known without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an error raised on purpose becomes one line and an exit code."""
        try:
            with _told_what_to_install(lambda: ctx.invoked_subcommand):
                return super().invoke(ctx)
        except KeyboardInterrupt as exc:
            raise Interrupted("interrupted") from exc
        except (TrainingError, EdgeError) as exc:
            fault = UsageFault if isinstance(exc, UsageError) else Fault
            raise fault(" ".join(str(exc).split())) from exc


@contextmanager
def _told_what_to_install(command: Callable[[], str | None]) -> Iterator[None]:
    """Name the extra that a package which is not there belongs to."""
    try:
        yield
    except ModuleNotFoundError as exc:
        package = str(exc.name).partition(".")[0]
        if package not in EXTRAS:
            raise
        needed = f"{command()} needs {package}"
        raise Fault(f"{needed}; install it with: pip install 'automl-edge[{EXTRAS[package]}]'") from exc


@click.group(cls=Root, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main() -> None:
    """Train, judge and export ONNX vision models for automl-edge."""
