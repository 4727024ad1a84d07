"""`automl-train azure watch`: follows a job until it ends; its exit code tells how."""

import click
from rich.console import Console

from training.azure.session import Session
from training.azure.watch import Pace, Seen, TimedOut, follow
from training.cli.azure.following import INTERRUPTED, Duration, last_words, outcome, showing
from training.cli.azure.options import session_options
from training.cli.options import json_option


@click.command(epilog="Exit codes: 0 completed, 1 failed, 3 cancelled, 4 the time to watch is over, 130 interrupted.")
@click.argument("job")
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
    console = Console()
    news = None
    try:
        with showing(console, as_json=as_json) as shown:
            for news in follow(session, job, pace=Pace(every_s=every), timeout_s=timeout):
                shown.tell(news)
    except KeyboardInterrupt:
        click.echo(f"\nno longer watched; {_goes_on(job)}", err=True)
        ctx.exit(INTERRUPTED)
    if isinstance(news, Seen) and not as_json:
        click.echo(last_words(news, job))
    elif isinstance(news, TimedOut):
        click.echo(f"the time to watch is over; {_goes_on(job)}", err=True)
    ctx.exit(outcome(news) or 0 if news else 0)


def _goes_on(job: str) -> str:
    return f"the job goes on: automl-train azure watch {job} follows it again, automl-train azure cancel {job} ends it"
