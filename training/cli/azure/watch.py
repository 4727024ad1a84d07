"""`automl-train azure watch`: follows a job until it ends; its exit code tells how."""

import click
from rich.console import Console

from training.azure import watch as watching
from training.azure.session import Session
from training.cli.azure.following import INTERRUPTED, Duration, last_words, outcome, showing
from training.cli.azure.options import JOB, session_options
from training.cli.options import json_option


@click.command(epilog="Exit codes: 0 completed, 1 failed, 3 cancelled, 4 the time to watch is over, 130 interrupted.")
@click.argument("job", type=JOB)
@click.option(
    "--timeout", type=Duration(), metavar="TIME", help="Watch no longer than this: 90m, 2h.  [default: to the end]"
)
@click.option("--every", type=Duration(), default="15s", show_default=True, metavar="TIME", help="How often to ask.")
@json_option
@session_options
@click.pass_context
def watch(
    ctx: click.Context, session: Session, *, job: str, timeout: float | None, every: float, as_json: bool
) -> None:
    """Follow JOB until it ends: its state, its trials, their metrics.

    The job runs in Azure: losing the network, or Ctrl-C, ends at most the watching.
    """
    ctx.exit(follow(session, job, every_s=every, timeout_s=timeout, as_json=as_json))


def follow(
    session: Session, job: str, *, every_s: float = 15.0, timeout_s: float | None = None, as_json: bool = False
) -> int:
    """Show a job until it ends and return the exit code that tells how. Raises AzureError."""
    pace = watching.Pace(every_s=every_s)
    news: watching.News | None = None
    try:
        with showing(Console(), as_json=as_json) as shown:
            for news in watching.follow(session, job, pace=pace, timeout_s=timeout_s):
                shown.tell(news)
    except KeyboardInterrupt:
        click.echo(f"\nno longer watched; {_goes_on(job)}", err=True)
        return INTERRUPTED
    if isinstance(news, watching.TimedOut):
        click.echo(f"the time to watch is over; {_goes_on(job)}", err=True)
    elif isinstance(news, watching.Seen) and not as_json:
        click.echo(last_words(news, job))
    return (outcome(news) or 0) if news else 0


def _goes_on(job: str) -> str:
    return f"the job goes on: automl-train azure watch {job} follows it again, automl-train azure cancel {job} ends it"
