"""`automl-train azure deploy`: a registered model behind an online endpoint."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from training.azure import deploying, endpoints
from training.azure.deploying import DeploymentFailedError, Watcher
from training.azure.deployments import Wish, check_wish, deployment_of, endpoint_of, parse_model
from training.azure.endpoints import Endpoint
from training.azure.session import Session
from training.azure.traffic import check_traffic
from training.cli.azure.options import session_options
from training.cli.options import json_option
from training.errors import UsageError

AUTHS = ("key", "aml_token", "aad_token")


@click.command()
@click.argument("model", metavar="[NAME:VERSION]", required=False)
@click.option("--endpoint", metavar="NAME", help="Endpoint; made where it is missing.")
@click.option("--deployment", default="blue", show_default=True, metavar="NAME", help="Made, or updated in place.")
@click.option("--image", metavar="REF", help="Our runtime's image in your container registry: it answers.")
@click.option("--mlflow", is_flag=True, help="AutoML's own MLflow model answers, in a server that Azure makes.")
@click.option("--instance-type", metavar="SIZE", help="Virtual machine; on Kubernetes the cluster's instance type.")
@click.option(
    "--instances", type=click.IntRange(1, 50), help="How many of them.  [default: as many as it has, 1 for a new one]"
)
@click.option("--kubernetes", metavar="COMPUTE", help="A cluster of the workspace, in place of managed machines.")
@click.option(
    "--traffic",
    default="100",
    show_default=True,
    metavar="N|SHARES",
    help="Percent of the requests for it once it is healthy, 0 for none yet; or all shares: blue=90,green=10.",
)
@click.option("--auth", type=click.Choice(AUTHS), help="What the endpoint asks for.  [default: key]")
@click.option("--env", "variables", multiple=True, metavar="KEY=VALUE", help="For our runtime; repeatable.")
@click.option("--dry-run", is_flag=True, help="Print what would be asked for; Azure is not asked.")
@click.option("--list", "listed", metavar="ENDPOINT", help="Show an endpoint and its deployments instead.")
@click.option("--remove", metavar="NAME", help="Delete a deployment of --endpoint that answers nothing instead.")
@json_option
@session_options
def deploy(session: Session, *, as_json: bool, **asked: Any) -> None:
    """Deploy a registered model to an online endpoint, and give it its share of the requests.

    With --image our runtime serves a bundle, with --mlflow Azure serves AutoML's own model. The requests change last,
    and only if the new deployment is healthy.
    """
    _check(asked)
    if asked["listed"]:
        _show(endpoints.look_up(session, asked["listed"]), as_json=as_json)
        return
    if asked["remove"]:
        with _watched() as watcher:
            found = deploying.take_away(session, asked["endpoint"], asked["remove"], watcher.told)
        _show(found, as_json=as_json)
        return
    wish = _wish(asked)
    if asked["dry_run"]:
        _show_wish(wish, asked["traffic"], as_json=as_json)
        return
    with _watched() as watcher:
        found = _deploy(session, wish, asked, watcher)
    _show(found, as_json=as_json)


def _check(asked: dict[str, Any]) -> None:
    """Refuse options that do not go together."""
    check_traffic(asked["traffic"])
    instead = [name for name in ("listed", "remove") if asked[name]]
    if len(instead) > 1:
        raise UsageError("pass either --list or --remove")
    if instead and asked["dry_run"]:
        raise UsageError("--dry-run is for deploying: leave it out with --list, and with --remove, which would delete")
    if not asked["listed"] and not asked["endpoint"]:
        raise UsageError("which endpoint? pass --endpoint NAME")
    if instead and asked["model"]:
        raise UsageError("--list and --remove take no model: leave NAME:VERSION out")
    if not instead and not asked["model"]:
        raise UsageError("which model? pass NAME:VERSION as it is registered, or --list ENDPOINT")
    if not instead and bool(asked["image"]) == asked["mlflow"]:
        raise UsageError("who answers? pass --image REF for our runtime, or --mlflow for AutoML's own model")


def _wish(asked: dict[str, Any]) -> Wish:
    wish = Wish(
        endpoint=asked["endpoint"],
        deployment=asked["deployment"],
        model=parse_model(asked["model"]),
        image=asked["image"],
        kubernetes=asked["kubernetes"],
        instance_type=asked["instance_type"],
        instances=asked["instances"],
        auth=asked["auth"] or AUTHS[0],
        variables=_variables(asked["variables"]),
    )
    check_wish(wish)
    return wish


def _variables(given: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    wrong = [text for text, (name, sign, _) in zip(given, pairs, strict=True) if not (name and sign)]
    if wrong:
        raise UsageError(f"--env {wrong[0]!r} is not KEY=VALUE")
    return {name: value for name, _, value in pairs}


def _deploy(session: Session, wish: Wish, asked: dict[str, Any], watcher: Watcher) -> Endpoint:
    try:
        return deploying.deploy(session, wish, asked["traffic"], asked["auth"], watcher)
    except DeploymentFailedError as error:
        said = error.log or "(the container has written nothing: it may not have started)"
        click.echo(f"The end of the container's log:\n{said}\n", err=True)
        raise


@contextmanager
def _watched() -> Iterator[Watcher]:
    """Show what is waited for: a line that lives on a terminal, one for each step elsewhere; all on standard error."""
    console = Console(stderr=True)
    steps: list[str] = []

    def noted(text: str) -> None:
        console.print(f"note: {text}", highlight=False, soft_wrap=True, markup=False)

    if not console.is_terminal:
        yield Watcher(lambda what, _: _once(console, steps, what), noted)
        return
    with console.status("asking Azure") as status:
        yield Watcher(lambda what, seconds: status.update(f"{what}, {_clock(seconds)}"), noted)


def _once(console: Console, steps: list[str], what: str) -> None:
    if what not in steps[-1:]:
        steps.append(what)
        console.print(f"{what} …", highlight=False, soft_wrap=True)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _show(endpoint: Endpoint, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(endpoint.as_json(), indent=2))
        return
    click.echo(f"{endpoint.name}: {endpoint.kind} endpoint, {endpoint.state}, asks for {endpoint.auth}")
    click.echo(endpoint.url)
    table = Table("deployment", box=None, pad_edge=False)
    table.add_column("traffic", justify="right", no_wrap=True)
    for name in ("model", "machines", "state"):
        table.add_column(name, overflow="fold")
    for one in endpoint.deployments:
        table.add_row(one.name, f"{one.share} %", one.model, f"{one.instances} x {one.size or 'default'}", one.state)
    if endpoint.deployments:
        Console().print(table)
    idle = [one.name for one in endpoint.deployments if not one.share]
    if idle and len(idle) < len(endpoint.deployments):
        click.echo(f"without requests: {', '.join(idle)}; delete one with --endpoint {endpoint.name} --remove NAME")


def _show_wish(wish: Wish, traffic: str, *, as_json: bool) -> None:
    """Print the endpoint and the deployment as `az ml` takes them too, in YAML."""
    whole, deployment = endpoint_of(wish).dump(), deployment_of(wish)
    endpoint = {key: whole[key] for key in ("name", "auth_mode", "compute") if whole.get(key)}
    if as_json:
        made = deployment._to_dict()  # noqa: SLF001 - the SDK's own dump writes YAML only
        click.echo(json.dumps({"endpoint": endpoint, "deployment": made, "traffic": traffic}, indent=2))
        return
    click.echo("# endpoint, where there is none yet")
    for key, value in endpoint.items():
        click.echo(f"{key}: {value}")
    click.echo("---\n# deployment")
    text = io.StringIO()  # standard output may be what the SDK takes for a file that cannot be written
    deployment.dump(text)
    click.echo(text.getvalue(), nl=False)
    click.echo(f"# then traffic: {traffic}")
