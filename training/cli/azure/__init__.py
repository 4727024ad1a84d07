"""`automl-train azure`: Azure AutoML for Images. Each command is imported when it runs."""

import click

from training.cli.late import Commands, LateGroup

COMMANDS: Commands = {
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


@click.group(cls=LateGroup, late=COMMANDS)
def azure() -> None:
    """Azure AutoML for Images: data, jobs, bundles, models, endpoints."""
