"""Rights against what ARM says of them, whom a token speaks for, and silence on the way."""

import base64
import json
import time
from pathlib import Path
from typing import Any

import pytest

from edge.azureml.cloud import read_cloud
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE
from tests.azure.standin import Cloud
from training.azure.login import Attempt, Login, Person, check_login, person_of
from training.azure.rights import LIST_SECRETS, RIGHTS, ROOM, missing_rights
from training.azure.session import Session

SCIENTIST: dict[str, Any] = {
    "actions": [f"{ROOM}*/{verb}" for verb in ("read", "action", "delete", "write")],
    "notActions": [
        f"{ROOM}delete",
        f"{ROOM}write",
        f"{ROOM}computes/*/write",
        f"{ROOM}computes/*/delete",
        f"{ROOM}computes/listKeys/action",
        f"{ROOM}listKeys/action",
    ],
}
"""The built-in role AzureML Data Scientist."""
OPERATOR = {"actions": [f"{ROOM}computes/*", f"{ROOM}notebooks/vm/*"]}
READER = {"actions": ["*/read"], "notActions": []}


def lacking(*permissions: dict[str, Any]) -> set[str]:
    return {right.short for right in missing_rights(permissions)}


@pytest.mark.parametrize(
    "permissions",
    [
        [{"actions": ["*"], "notActions": []}],
        [{"actions": ["microsoft.machinelearningservices/*"]}],
        [SCIENTIST, OPERATOR],
    ],
)
def test_roles_that_have_all_rights(permissions: list[dict[str, Any]]) -> None:
    """One role, or two that complete each other; what one forbids another may give."""
    assert lacking(*permissions) == set()


def test_roles_that_lack_some() -> None:
    """A scientist makes no clusters; a reader changes nothing and sees no secrets; nobody may do nothing."""
    assert lacking(SCIENTIST) == {"computes/write"}
    assert lacking(READER) == {right.short for right in RIGHTS if not right.action.endswith("/read")}
    assert LIST_SECRETS in missing_rights([READER])
    assert "onlineEndpoints/listKeys/action" in lacking(READER)  # without which `invoke` gets no key
    assert len(missing_rights([])) == len(RIGHTS)


def test_what_is_forbidden_counts_within_its_own_role() -> None:
    """And an action is not taken for another that begins alike."""
    assert "jobs/write" in lacking({"actions": [f"{ROOM}*"], "notActions": [f"{ROOM}jobs/*"]})
    assert "jobs/write" in lacking({"actions": [f"{ROOM}jobs/writ"]}, {"actions": [f"{ROOM}jobs/write/x"]})
    assert "jobs/write" not in lacking({"actions": [f"{ROOM}JOBS/Write"]})


def made(claims: object) -> str:
    part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{part}.signature"


@pytest.mark.parametrize(
    ("claims", "person", "shown"),
    [
        ({"oid": "o", "upn": "eva@x", "tid": "t", "appid": "a"}, Person("o", "a", "eva@x", "t"), "eva@x"),
        ({"oid": "o", "preferred_username": "eva@x", "tid": "t"}, Person("o", None, "eva@x", "t"), "eva@x"),
        ({"oid": "o", "azp": "a", "tid": "t"}, Person("o", "a", None, "t"), "application a"),
        ({"oid": "o"}, Person("o", None, None, None), "o"),
    ],
)
def test_a_token_tells_whom_it_speaks_for(claims: dict[str, str], person: Person, shown: str) -> None:
    """A person by name, an application by its id."""
    assert person_of(made(claims)) == person
    assert str(person) == shown


@pytest.mark.parametrize("token", ["", "opaque", "a.b!.c", "a.bnVsbA.c", made([1])])
def test_a_token_that_tells_nothing_speaks_for_somebody(token: str) -> None:
    """Azure may make its tokens of anything."""
    assert person_of(token) == Person(None, None, None, None)


def test_the_way_that_was_taken_is_the_first_that_is_the_same_person() -> None:
    """Two ways may lead to one person."""
    eva, machine = Person("o", "a", "eva@x", "t"), Person("m", "b", None, "t")
    tried = [Attempt("environment", 0.1, reason="no"), Attempt("managed-identity", 0.1, machine)]
    login = Login("default", Workspace("s", "g", "w"), [*tried, Attempt("az-cli", 0.1, eva)], eva)
    assert login.used is login.attempts[2]
    assert login.is_well
    assert not Login("default", Workspace("s", "g", "w")).is_well


def test_a_control_plane_that_never_answers_is_given_up(azure: Cloud, tmp_path: Path) -> None:
    """Each answer is waited for within the limit, and asked for twice; nothing else is asked after that."""
    place = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    session = Session(place, Identity("managed-identity"), read_cloud(str(azure.cloud_file(tmp_path))))
    azure.wire.break_("GET .*/workspaces/[^/]+$", hang_s=60)
    assert session.client  # the SDK takes seconds to load
    begun = time.monotonic()
    login = check_login(session, limit_s=0.5)
    took = time.monotonic() - begun
    azure.wire.mend()
    session.close()
    assert 1.0 <= took < 5.0
    assert (login.person is not None, login.is_well, login.stores) == (True, False, [])
    (problem,) = login.problems
    assert "looking at the workspace: Azure did not answer in time" in problem


def test_identities_that_never_answer_are_given_up_side_by_side(azure: Cloud, tmp_path: Path) -> None:
    """Four that hang take as long as one."""
    place = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
    identity = Identity("default", "tenant-a", "application-a", secret="s")
    session = Session(place, identity, read_cloud(str(azure.cloud_file(tmp_path))))
    azure.wire.break_("/oauth2/v2.0/token|/msi/token", hang_s=60)
    begun = time.monotonic()
    login = check_login(session, limit_s=0.5)
    took = time.monotonic() - begun
    azure.wire.mend()
    session.close()
    assert took < 3.0
    reasons = {attempt.credential: attempt.reason for attempt in login.attempts}
    assert "gave no token within 0.5 s" in reasons["managed-identity"]
    assert login.person is None
    assert login.problems == ["signing in: none of these works; set one up, then name it with --credential"]
