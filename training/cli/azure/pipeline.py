"""`automl-train azure pipeline`: prepare, train, evaluate, register if better, as one Azure ML pipeline."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from training.azure.job_file import read_job_file
from training.azure.jobs import new_name, plain_name
from training.azure.pipeline.definition import IMAGE, Plan
from training.azure.pipeline.submitting import SPLIT, Schedule, Sent, as_data, describe, resolve, send
from training.azure.session import Session
from training.cli.azure.options import session_options
from training.cli.options import json_option
from training.errors import UsageError

SHARE = click.FloatRange(0, 1, max_open=True)
UNKNOWN = "azureml://datastores/workspaceblobstore/paths/KNOWN-WHEN-SUBMITTED"
"""What a rehearsal shows as the place of pictures and code."""


@click.command()
@click.argument("job_file", metavar="JOB.TOML", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--pictures", required=True, metavar="ASSET|URI", help="Folder of class folders.")
@click.option("--model", required=True, metavar="NAME", help="The model to register versions of.")
@click.option("--step-compute", required=True, metavar="NAME", help="CPU cluster for the steps around the training.")
@click.option("--validation-share", type=SHARE, default=0.2, show_default=True, help="Of each class.")
@click.option("--test-share", type=SHARE, default=0.15, show_default=True, help="Of each class, to judge by.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same split.")
@click.option("--min-gain", type=SHARE, default=0.0, show_default=True, help="Accuracy gained over the registered one.")
@click.option("--min-accuracy", type=SHARE, default=0.0, show_default=True, help="Accuracy below which none is taken.")
@click.option("--tag", metavar="KEY=VALUE", help="Set on what is registered, for devices that follow it.")
@click.option("--stage", metavar="STAGE", help="Set on what is registered, as Production.")
@click.option("--name", metavar="NAME", help="Of the job or schedule.  [default: made of the model's]")
@click.option("--schedule", "cron", metavar="CRON", help="Run again and again: minute hour day month weekday.")
@click.option(
    "--time-zone", default="UTC", show_default=True, metavar="ZONE", help="Of the schedule, as Azure names it."
)
@click.option(
    "--image", default=IMAGE, show_default=True, metavar="REF", help="Image of the steps around the training."
)
@click.option("--dry-run", is_flag=True, help="Print the pipeline and send nothing; Azure is not asked.")
@json_option
@session_options
def pipeline(
    session: Session,
    *,
    job_file: Path,
    cron: str | None,
    time_zone: str,
    name: str | None,
    step_compute: str,
    dry_run: bool,
    as_json: bool,
    **asked: object,
) -> None:
    """Train as JOB.TOML says and register the model if it is better than the registered one.

    The pictures are checked and split, AutoML trains, its best model and the registered one are judged on the same test
    pictures as the edge runs them, and the better one is registered. The job file needs no data: the split provides it.
    """
    job = read_job_file(job_file, without_data=True)
    if job.compute is None:
        raise UsageError(f"{job_file}: compute: the pipeline trains on a named cluster; name one")
    like = f"{asked['model']}-pipeline"
    plan = Plan(
        name=name or (plain_name(like) if cron is not None else job.name or new_name(like, datetime.now(UTC))),
        url=UNKNOWN,
        code=UNKNOWN,
        compute=step_compute,
        train_compute=job.compute,
        experiment=job.experiment,
        cloud=session.cloud.name,
        **asked,  # type: ignore[arg-type]  # click passes them by name, as declared above
    )
    schedule = Schedule(cron, time_zone) if cron is not None else None
    for key in SPLIT:
        if getattr(job, key) is not None:
            click.echo(f"note: {key} of {job_file} does not count: the pipeline splits the pictures itself", err=True)
    described = describe(plan, job)
    if dry_run:
        click.echo(json.dumps(as_data(described), indent=2) if as_json else str(described))
        return
    plan = resolve(session, plan, job, lambda text: None if as_json else click.echo(text, err=True))
    sent = send(session, plan, job, schedule)
    click.echo(json.dumps(sent.as_json(), indent=2) if as_json else _text(sent))


def _text(sent: Sent) -> str:
    if sent.schedule:
        return f"schedule  {sent.name} ({sent.status}): {sent.schedule}"
    lines = [f"pipeline  {sent.name} ({sent.status})", f"studio    {sent.studio_url or '-'}"]
    return "\n".join([*lines, f"follow it: automl-train azure watch {sent.name}"])
