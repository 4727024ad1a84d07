"""`automl-train azure`: Azure AutoML for Images. Each command is imported when it runs."""

import importlib
from collections.abc import Mapping

import click

COMMANDS: Mapping[str, tuple[str, str]] = {
    "login-check": ("training.cli.azure.login:login_check", "Say which identity works, and what rights it lacks."),
    "compute": ("training.cli.azure.compute:compute", "Make and look at compute clusters."),
    "submit": ("training.cli.azure.submit:submit", "Submit an AutoML image job."),
    "watch": ("training.cli.azure.watch:watch", "Follow a job until it ends."),
    "leaderboard": ("training.cli.azure.leaderboard:leaderboard", "Show a job's trials, best first."),
    "cancel": ("training.cli.azure.cancel:cancel", "Cancel a job."),
    "fetch": ("training.cli.azure.fetch:fetch", "Make a verified bundle of a job's best trial."),
    "register": ("training.cli.azure.register:register", "Register a bundle as a model."),
    "promote": ("training.cli.azure.promote:promote", "Set the stage or tag that devices follow."),
    "deploy": ("training.cli.azure.deploy:deploy", "Deploy a model to an online endpoint."),
    "invoke": ("training.cli.azure.invoke:invoke", "Send pictures to an online endpoint."),
    "compare": ("training.cli.azure.compare:compare", "Compare the answers of an endpoint and of the edge."),
    "pipeline-step": ("training.cli.azure.pipeline_step:pipeline_step", ""),
    "pipeline": ("training.cli.azure.pipeline:pipeline", "Prepare, train, evaluate and register as one pipeline."),
}
"""Where each command lives and its help in one line; one without help is not for people."""


class Azure(click.Group):
    """A group whose commands are imported when they run."""

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
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items() if text])


@click.group(cls=Azure)
def azure() -> None:
    """Azure AutoML for Images: data, jobs, bundles, models, endpoints."""
