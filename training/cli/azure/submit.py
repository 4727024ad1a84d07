"""`automl-train azure submit`: from a job file to a job in Azure."""

import json
import sys
from pathlib import Path

import click

from training.azure.job_file import JobFile, read_job_file
from training.azure.jobs import Order, Submitted, order_of, planned
from training.azure.jobs import submit as submit_order
from training.azure.session import Session
from training.cli.azure.options import session_options
from training.cli.options import json_option
from training.cli.root import UsageFault
from training.errors import UsageError


@click.command()
@click.argument("job_file", metavar="JOB.TOML", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Print the exact request and send nothing; Azure is not asked.")
@click.option(
    "--allow-no-onnx", is_flag=True, help="Take models of HuggingFace and MMDetection too: no bundle of these."
)
@click.option("--name", metavar="NAME", help="The job's name; there can be one of a name.  [default: made up]")
@click.option("--watch", is_flag=True, help="Follow the job until it ends, as `azure watch` does.")
@json_option
@session_options
@click.pass_context
def submit(
    context: click.Context,
    session: Session,
    *,
    job_file: Path,
    dry_run: bool,
    allow_no_onnx: bool,
    name: str | None,
    watch: bool,
    as_json: bool,
) -> None:
    """Check JOB.TOML as a whole, and submit the AutoML image job that it describes."""
    order = _read(job_file, name, allow_no_onnx=allow_no_onnx)
    if dry_run:
        _rehearse(session, order)
        return
    job = submit_order(session, order, told=_say_name)
    if as_json:
        click.echo(json.dumps(job.as_json(), indent=None if watch else 2))  # a line, before those of watch
    else:
        _show(order.job, job)
        if not watch:
            click.echo(f"follow it: automl-train azure watch {job.name}")
    if watch:
        context.exit(_follow(session, job.name, as_json=as_json))


def _read(file: Path, name: str | None, *, allow_no_onnx: bool) -> Order:
    """Return the order of a file; of several problems each has a line of its own."""
    try:
        job = read_job_file(file, name=name, allow_no_onnx=allow_no_onnx)
        return order_of(job, file.parent)
    except UsageError as error:
        raise UsageFault(str(error)) from error


def _say_name(name: str) -> None:
    """Say in a terminal under which name the job goes out, for whoever interrupts before the answer comes."""
    if sys.stderr.isatty():
        click.echo(f"submitting {name}…", err=True)


def _rehearse(session: Session, order: Order) -> None:
    click.echo(json.dumps(planned(session, order).as_json(), indent=2, sort_keys=True))
    for asset in (order.training, order.validation):
        if asset is not None and asset.version is None:
            click.echo(f"note: {asset}: the version is looked up when the job is submitted", err=True)
        if asset is not None and asset.table is not None:
            click.echo(f"note: {asset.table.folder} becomes the data asset {asset} when the job is submitted", err=True)
    if order.name is None:
        click.echo("note: the job is named when it is submitted; give --name or name to fix it now", err=True)


def _show(job: JobFile, done: Submitted) -> None:
    rows = [
        ("job", f"{done.name} ({done.status})"),
        ("task", f"{job.task}, best by {job.metric}"),
        ("trials", _trials(job)),
        ("data", done.training_data + (f", validated on {done.validation_data}" if done.validation_data else "")),
        ("compute", job.compute or f"serverless {job.serverless.instance_type if job.serverless else ''}"),
        ("studio", done.studio_url or "-"),
    ]
    for what, text in rows:
        click.echo(f"{what:<8}  {text}")


def _trials(job: JobFile) -> str:
    if job.sweep is not None:
        return f"{job.limits.max_trials}, a {job.sweep.sampling_algorithm} sweep"
    return str(job.model.get("model_name") or f"{job.limits.max_trials}, chosen by AutoML (AutoMode)")


def _follow(session: Session, name: str, *, as_json: bool) -> int:
    """Show the job until it ends and return the exit code."""
    from training.cli.azure.watch import follow  # noqa: PLC0415 - loads tables that else nobody needs

    return follow(session, name, as_json=as_json)
