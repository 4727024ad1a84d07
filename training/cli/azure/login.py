"""`automl-train azure login-check`: which identity works, for which workspace, and which rights it lacks."""

import json
from collections.abc import Mapping
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from training.azure.login import Login, Person, Store, check_login
from training.azure.session import Session
from training.cli.azure.options import session_options
from training.cli.options import json_option


@click.command("login-check")
@session_options
@json_option
@click.pass_context
def login_check(context: click.Context, session: Session, *, as_json: bool) -> None:
    """Say which identity works, as whom, for which workspace, and which rights are missing.

    With --credential default every identity that it would try is tried, each for a few seconds. Files in the
    workspace's storage are really listed, and a write that changes nothing is tried. Exits with 1 where something is
    missing.
    """
    login = check_login(session)
    if as_json:
        click.echo(json.dumps(_as_json(login), indent=2))
    else:
        _print(login, Console())
    context.exit(0 if login.is_well else 1)


def _as_json(login: Login) -> Mapping[str, Any]:
    place = login.place
    return {
        "ok": login.is_well,
        "credential": login.credential,
        "identity": _person(login.person),
        "tried": [
            {
                "credential": attempt.credential,
                "works": attempt.person is not None,
                "used": attempt is login.used,
                "identity": _person(attempt.person),
                "reason": attempt.reason or None,
                "took_s": round(attempt.took_s, 3),
            }
            for attempt in login.attempts
        ],
        "workspace": {
            "subscription_id": place.subscription_id,
            "resource_group": place.resource_group,
            "name": place.name,
            "location": login.location,
        },
        "datastores": [
            {
                "name": store.name,
                "opened_by": store.opened_by,
                "not_read": store.not_read.text if store.not_read else None,
                "not_written": store.not_written.text if store.not_written else None,
            }
            for store in login.stores
        ],
        "missing": [{"right": r.action, "breaks": r.breaks, "role": r.role} for r in login.missing],
        "problems": login.problems,
    }


def _person(person: Person | None) -> Mapping[str, str | None] | None:
    if person is None:
        return None
    return {
        "object_id": person.object_id,
        "application_id": person.application_id,
        "name": person.name,
        "tenant_id": person.tenant_id,
    }


def _print(login: Login, console: Console) -> None:
    console.print(_identities(login))
    if login.person:
        console.print("", _who_and_where(login, login.person))
    if login.stores:
        console.print("", _stores(login.stores))
    if login.missing:
        console.print("", _missing(login))
    if login.credential == "default" and login.used:
        console.print(f"\nIn production name one: --credential {login.used.credential}")
    for problem in login.problems:
        click.echo(f"error: {problem}", err=True)
    console.print("\nAll is well." if login.is_well else "\nSomething is missing.")


def _identities(login: Login) -> Table:
    table = Table("identity", "works", "as whom, or why not", box=None, pad_edge=False)
    table.add_column("took", justify="right", no_wrap=True)
    for attempt in login.attempts:
        works = "no" if not attempt.person else "used" if attempt is login.used else "yes"
        about = str(attempt.person) if attempt.person else attempt.reason
        table.add_row(attempt.credential, works, escape(about), f"{attempt.took_s:.1f} s")
    return table


def _who_and_where(login: Login, person: Person) -> Table:
    table = Table.grid(padding=(0, 2))
    rows = {
        "signed in as": str(person),
        "object": person.object_id,
        "tenant": person.tenant_id,
        "workspace": f"{login.place.name} in {login.location or 'an unknown region'}",
        "resource group": login.place.resource_group,
        "subscription": login.place.subscription_id,
    }
    for name, value in rows.items():
        table.add_row(name, escape(value or "unknown"))
    return table


def _stores(stores: list[Store]) -> Table:
    table = Table("datastore", "opened by", "its files, by this identity alone", box=None, pad_edge=False)
    for store in stores:
        table.add_row(store.name, store.opened_by, _files(store))
    return table


def _files(store: Store) -> str:
    read = f"not read: {store.not_read.rule}" if store.not_read else "read"
    written = f"not written: {store.not_written.rule}" if store.not_written else "written"
    unneeded = f" (not needed, {store.opened_by} opens it)" if store.faults and not store.needs_identity else ""
    return f"{read}, {written}{unneeded}"


def _missing(login: Login) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("missing right", no_wrap=True)
    table.add_column("breaks")
    table.add_column("give the role")
    for right in login.missing:
        table.add_row(right.short, right.breaks, right.role)
    return table
