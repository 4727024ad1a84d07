"""`automl-train azure cancel`: asks for a job's end."""

import json

import click

from training.azure.jobs import ENDED, wait_for_end
from training.azure.jobs import cancel as cancel_job
from training.azure.session import Session
from training.cli.azure.options import JOB, session_options
from training.cli.options import json_option


@click.command()
@click.argument("job", type=JOB)
@click.option("--wait", is_flag=True, help="Wait until the job has ended.")
@click.option(
    "--timeout", type=click.IntRange(1), default=900, show_default=True, metavar="SECONDS", help="How long to wait."
)
@json_option
@session_options
def cancel(session: Session, *, job: str, wait: bool, timeout: int, as_json: bool) -> None:
    """Cancel JOB and its trials. One that has ended already is left as it is."""
    status = cancel_job(session, job)
    asked = status not in ENDED
    if asked and wait:
        status = wait_for_end(session, job, within_s=timeout)
    if as_json:
        click.echo(json.dumps({"name": job, "status": status, "cancel_requested": asked}, indent=2))
    elif not asked:
        click.echo(f"{job} has ended already: {status}")
    else:
        click.echo(
            f"{job}: {status}" if wait else f"{job}: asked to cancel; automl-train azure watch {job} shows its end"
        )
