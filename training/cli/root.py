"""The root command: imports only the command that runs and turns errors into one line and an exit code."""

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import click

from edge.errors import EdgeError
from training.cli.late import Commands, LateGroup
from training.errors import TrainingError, UsageError

COMMANDS: Commands = {
    "data": ("training.cli.data:data", "Check, convert, split and upload labelled pictures; draw some."),
    "fit": ("training.cli.fit:fit", "Train a network and end with a proven bundle."),
    "sweep": ("training.cli.sweep:sweep", "Try many hyperparameters; the best trial becomes a bundle."),
    "auto": ("training.cli.auto:auto", "Pick networks and settings by itself, within a time."),
    "crossvalidate": ("training.cli.crossvalidate:crossvalidate", "Judge a recipe on pictures it has not seen."),
    "export": ("training.cli.export:export", "Make a bundle of a fit; also in fp16 or int8, if it stays as right."),
    "evaluate": ("training.cli.evaluate:evaluate", "Judge a bundle exactly as the edge runs it."),
    "mine": ("training.cli.mine:mine", "Find the pictures that a bundle learns most from next."),
    "azure": ("training.cli.azure:azure", "Azure AutoML for Images: data, jobs, bundles, models, endpoints."),
}
EXTRAS: Mapping[str, str] = {
    **dict.fromkeys(
        ("torch", "onnx", "onnxruntime", "sklearn", "scipy", "optuna", "jinja2", "matplotlib"), "cpu,train"
    ),
    **dict.fromkeys(("dask", "distributed"), "dask"),
    **dict.fromkeys(("azure", "packaging"), "azure"),
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


class Root(LateGroup):
    """Turns errors into one line and an exit code."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now; what it lacks to be imported is named."""
        with _told_what_to_install(lambda: cmd_name):
            return super().get_command(ctx, cmd_name)

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
        except OSError as exc:
            if exc.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            where = exc.filename or "where standard output goes"
            raise Fault(f"the disk is full ({where}): free space, or write elsewhere") from exc


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


@click.group(
    cls=Root, late=COMMANDS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
def main() -> None:
    """Train, judge and export ONNX vision models for automl-edge."""
