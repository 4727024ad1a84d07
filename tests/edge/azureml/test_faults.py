"""What Azure's errors become: each really sent or met, over the real SDK; one line, one kind, one remedy."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import automl
from azure.ai.ml.exceptions import JobException, MlException, ValidationException
from azure.core.exceptions import ServiceRequestError

from edge.azureml.cloud import Cloud as AzureCloud
from edge.azureml.cloud import read_cloud
from edge.azureml.connection import Connection, connect
from edge.azureml.containers import open_datastore
from edge.azureml.faults import Fault, azure_errors, explain
from edge.azureml.identity import Identity
from edge.azureml.place import Workspace
from edge.azureml.remedies import RULES, role_for
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, TENANT, WORKSPACE
from tests.azure.routes.workspace import refuse_blobs
from tests.azure.standin import Cloud

PAGE = Path(__file__).parents[3] / "docs/reference/azure-errors.md"
PLACE = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
MACHINE = Identity("managed-identity")
DENIED = (
    "The client 'eva@plant.example' with object id '0' does not have authorization to perform action "
    "'Microsoft.MachineLearningServices/workspaces/{action}' over scope '/subscriptions/0' or the scope is invalid. If "
    "access was recently granted, please refresh your credentials."
)
Ask = Callable[[Connection], object]
Connect = Callable[..., Connection]


@pytest.fixture
def connected(azure: Cloud, tmp_path: Path) -> Iterator[Connect]:
    """Connect without retries, unless told otherwise; what was opened is closed."""
    file = azure.cloud_file(tmp_path)
    with ExitStack() as opened:

        def make(cloud: AzureCloud | None = None, identity: Identity = MACHINE, **how: Any) -> Connection:
            connection = connect(PLACE, identity, cloud or read_cloud(str(file)), **{"retries": 0, **how})
            return opened.enter_context(closing(connection))

        yield make


def fault_of(act: Callable[[], object], what: str = "trying") -> Fault:
    """Return what an act's error means, and check what is true of all of them."""
    with pytest.raises(Exception) as raised:  # noqa: PT011 - which one it is, is what is asked
        act()
    fault = explain(raised.value, what)
    assert fault is not None, repr(raised.value)
    assert fault.text.startswith(f"{what}: ")
    assert len(fault.text.splitlines()) == 1
    assert len(fault.text) < 700
    assert fault.kind == RULES[fault.rule].kind
    return fault


def model(connection: Connection) -> object:
    return connection.client.models.get("surface", "1")


def first_model(connection: Connection) -> object:
    return next(iter(connection.client.models.list("surface")), None)


@pytest.mark.parametrize(
    ("status", "code", "message", "rule", "words"),
    [
        (401, "InvalidAuthenticationToken", "The access token is invalid.", "InvalidAuthenticationToken", "clock"),
        (401, "InvalidAuthenticationTokenTenant", "wrong", "InvalidAuthenticationTokenTenant", "az login --tenant"),
        (401, "ExpiredAuthenticationToken", "expired", "ExpiredAuthenticationToken", "clock"),
        (401, "Other", "who are you", "401", "login-check"),
        (403, "AuthorizationFailed", DENIED.format(action="jobs/write"), "AuthorizationFailed", "Data Scientist"),
        (403, "RequestDisallowedByPolicy", "Policy 'no GPUs'", "RequestDisallowedByPolicy", "owns the policy"),
        (403, "UserError", "no", "403", "login-check"),
        (404, "SubscriptionNotFound", "The subscription 'x' could not be found.", "SubscriptionNotFound", "az account"),
        (404, "ResourceGroupNotFound", "Resource group 'x' not found.", "ResourceGroupNotFound", "correct res"),
        (
            404,
            "ResourceNotFound",
            "The Resource 'Microsoft.MachineLearningServices/workspaces/x' under resource group 'y' was not found.",
            "ResourceNotFound",
            "correct workspace",
        ),
        (404, "UserError", "Not found", "no such model", "page Models"),
        (409, "Conflict", "It exists.", "409", "another name or version"),
        (400, "ClusterCoreQuotaReached", "Operation results in exceeding limits.", "QuotaExceeded", "more cores"),
        (400, "BadRequest", "a total vCPU quota of 0 and cannot accomodate a node", "QuotaExceeded", "quota of 0"),
        (409, "MissingSubscriptionRegistration", "register", "MissingSubscriptionRegistration", "az provider register"),
        (429, "TooManyRequests", "Slow down.", "429", "wait as long"),
        (500, "InternalServerError", "Oops.", "5xx", "status.azure.com"),
        (503, "ServiceUnavailable", "Quota service is away.", "5xx", "try again"),
        (400, "ValidationError", "name: too long", "400", "name: too long"),
    ],
)  # fmt: skip
def test_answers(azure: Cloud, connected: Connect, status: int, code: str, message: str, rule: str, words: str) -> None:
    """By Azure's code, by what the text says of quotas, by the status and the address."""
    azure.wire.break_("GET .*/models/", status, code=code, message=message)
    fault = fault_of(lambda: model(connected()))
    assert fault.rule == rule
    assert words in fault.text


@pytest.mark.parametrize(
    ("ask", "rule"),
    [
        (lambda c: c.client.jobs.get("lost"), "no such job"),
        (lambda c: c.client.compute.get("lost"), "no such compute"),
        (lambda c: c.client.data.get("lost", "1"), "no such data"),
        (lambda c: c.client.datastores.get("lost"), "no such datastore"),
        (lambda c: c.client.models.get("lost", "1"), "no such model"),
        (lambda c: c.client.models.get("lost", label="latest"), "not found by the SDK"),
        (lambda c: c.client.workspaces.get("lost"), "ResourceNotFound"),
    ],
)
def test_what_is_not_there_is_named_by_its_kind(connected: Connect, ask: Ask, rule: str) -> None:
    """Azure's own text does not always say what was looked for."""
    assert fault_of(lambda: ask(connected())).rule == rule


@pytest.mark.parametrize(
    ("action", "role"),
    [
        ("Microsoft.MachineLearningServices/workspaces/computes/write", "AzureML Compute Operator"),
        ("Microsoft.MachineLearningServices/workspaces/computes/read", "AzureML Data Scientist"),
        ("Microsoft.MachineLearningServices/workspaces/jobs/write", "AzureML Data Scientist"),
        ("Microsoft.MachineLearningServices/registries/assets/write", "AzureML Registry User"),
        ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read", "Storage Blob Data Reader"),
        ("Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write", "Storage Blob Data Contributor"),
        ("Microsoft.Compute/virtualMachines/write", "Contributor"),
    ],
)
def test_a_missing_right_names_who_what_and_the_role(azure: Cloud, connected: Connect, action: str, role: str) -> None:
    """Who, which action, which role to give."""
    assert role_for(action) == role
    text = DENIED.replace("Microsoft.MachineLearningServices/workspaces/{action}", action)
    azure.wire.break_("GET .*/models/", 403, code="AuthorizationFailed", message=text)
    fault = fault_of(lambda: model(connected()))
    assert f"eva@plant.example may not {action}" in fault.text
    assert f"give it the role {role}" in fault.text


def test_the_workspaces_own_services_word_it_differently(azure: Cloud, connected: Connect) -> None:
    """They are no part of ARM; what is allowed here and denied on something linked is shown as Azure words it."""
    text = (
        "Identity(object id: 123) does not have permissions for Microsoft.MachineLearningServices/workspaces/jobs/read "
        "actions. Please refer to https://aka.ms/azureml-auth-troubleshooting to fix the permissions issue"
    )
    azure.wire.break_("GET .*/models/", 403, code="UserError", message=text)
    fault = fault_of(lambda: model(connected()))
    assert "(123 may not Microsoft.MachineLearningServices/workspaces/jobs/read)" in fault.text
    linked = (
        "The client 'eva' with object id '0' has permission to perform action 'Microsoft.A/write' on scope '/s', but "
        "it does not have permission to perform action(s) 'Microsoft.B/join/action' on the linked scope(s) '/t'."
    )
    azure.wire.break_("GET .*/models/", 403, code="LinkedAuthorizationFailed", message=linked)
    assert "Microsoft.B/join/action" in fault_of(lambda: model(connected())).text


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AuthorizationPermissionMismatch", "Storage Blob Data Reader"),
        ("AuthorizationFailure", "Networking"),
        ("KeyBasedAuthenticationNotPermitted", "by identity"),
        ("AuthenticationFailed", "clock"),
        ("PublicAccessNotPermitted", "by key or by identity"),
    ],
)
def test_refusals_of_the_storage_account(azure: Cloud, connected: Connect, code: str, words: str) -> None:
    """Storage has codes of its own, in a header."""
    refuse_blobs(azure, code)

    def listing() -> None:
        with open_datastore(connected(), "workspaceblobstore") as container:
            container.files("models")

    fault = fault_of(listing)
    assert (fault.kind, fault.rule) == ("denied", code)
    assert words in fault.text


def test_files_and_containers_that_are_gone(azure: Cloud, connected: Connect) -> None:
    """The real storage's answers."""
    azure.blobs.write({"there/a": b"a"})
    with open_datastore(connected(), "workspaceblobstore") as container:
        assert fault_of(lambda: list(container.chunks("there/b"))).rule == "BlobNotFound"


@pytest.mark.parametrize("code", ["AADSTS7000215", "AADSTS7000222", "AADSTS700027", "AADSTS700016", "AADSTS90002"])
def test_entra_ids_codes_say_what_is_wrong_with_the_identity(azure: Cloud, connected: Connect, code: str) -> None:
    """Each has its own remedy; the secret is not shown."""
    azure.notes["refuse_sign_in"] = code
    identity = Identity("secret", TENANT, "33333333-3333-3333-3333-333333333333", secret="s3cret")
    fault = fault_of(lambda: model(connected(identity=identity)))
    assert (fault.kind, fault.rule) == ("signed-out", code)
    assert "s3cret" not in fault.text


def http_date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        (lambda: {"Retry-After": "7"}, 7.0),
        (lambda: {"Retry-After": http_date(90)}, 90.0),
        (lambda: {"x-ms-retry-after-ms": "1500"}, 1.5),
        (lambda: {"Retry-After": http_date(-90)}, 0.0),
        (dict, None),
    ],
)
def test_azures_wish_to_wait_is_told(
    azure: Cloud, connected: Connect, headers: Callable[[], dict[str, str]], seconds: float | None
) -> None:
    """In seconds, as a date, in milliseconds."""
    azure.wire.break_("GET .*/models/", 429, headers=headers())
    fault = fault_of(lambda: model(connected()))
    assert (fault.kind, fault.passes) == ("throttled", True)
    assert fault.retry_after_s == (None if seconds is None else pytest.approx(seconds, abs=15.0 if seconds > 60 else 1))


def test_a_long_wait_is_left_to_whoever_asked(azure: Cloud, connected: Connect) -> None:
    """The SDK would sleep for an hour; a short wait it sleeps through, and goes on."""
    azure.wire.break_("GET .*/models/", 429, headers={"Retry-After": "3600"})
    begun = time.monotonic()
    fault = fault_of(lambda: model(connected(retries=3)))
    assert time.monotonic() - begun < 60
    assert (fault.rule, fault.retry_after_s) == ("429", 3600.0)
    azure.wire.mend()
    azure.wire.break_("GET .*/models/", 429, headers={"Retry-After": "1"}, times=1)
    assert first_model(connected(retries=3)) is None


def test_an_arm_that_never_answers_is_given_up(azure: Cloud, connected: Connect) -> None:
    """Asked twice at most, whatever number of retries is allowed."""
    azure.wire.break_("GET .*/models/", hang_s=30)
    begun = time.monotonic()
    fault = fault_of(lambda: model(connected(retries=3, timeout_s=0.3)))
    azure.wire.mend()
    assert 0.6 <= time.monotonic() - begun < 20
    assert (fault.kind, fault.rule) == ("unreachable", "time-out")


def at(azure: Cloud, manager: str) -> AzureCloud:
    """Return a cloud whose control plane is elsewhere."""
    return AzureCloud(f"At{abs(hash(manager))}", {**azure.metadata, "resource_manager": manager})


def test_names_ports_and_certificates_that_lead_nowhere(
    azure: Cloud, connected: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has its own remedy; all of them may pass."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"https://127.0.0.1:{unused.getsockname()[1]}"
        assert fault_of(lambda: model(connected(at(azure, closed), timeout_s=2))).rule == "connection refused"
    nowhere = fault_of(lambda: model(connected(at(azure, "https://nowhere.invalid"), timeout_s=2)))
    assert (nowhere.rule, nowhere.passes) == ("DNS", True)
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")
    untrusting = connected(identity=Identity("secret", TENANT, "4" * 8, secret="s"))
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    untrusted = fault_of(lambda: model(untrusting))
    assert (untrusted.kind, untrusted.rule) == ("unreachable", "TLS")
    assert "REQUESTS_CA_BUNDLE" in untrusted.text


def raising(error: Exception) -> None:
    raise error


def test_errors_of_the_sdk_itself() -> None:
    """What it finds wrong is no lost connection, and is not worth another try."""
    wrong = ValidationException("Metadata is missing.", "-")
    assert fault_of(lambda: raising(wrong)).kind == "refused"
    listed = MlException("\n\n1) One or more fields are invalid\n\nDetails:\n\n(x) compute: Unknown field.\n", "-")
    assert "(compute: Unknown field)" in fault_of(lambda: raising(listed)).text
    as_json = MlException('{"result": "Failed", "errors": [{"message": "Not a name.", "path": "jobs.a"}]}', "-")
    assert "(jobs.a: Not a name)" in fault_of(lambda: raising(as_json)).text
    ended = JobException("Exception :\n {}", "-")
    assert fault_of(lambda: raising(ended)).rule == "JobException"


def test_what_the_sdk_only_wraps_is_explained_by_what_is_inside(azure: Cloud, connected: Connect) -> None:
    """The SDK wraps the storage's answers in errors of its own."""
    azure.wire.break_("GET .*/models/", 403, code="AuthorizationFailed", message=DENIED.format(action="jobs/write"))

    def wrapped() -> None:
        try:
            model(connected())
        except Exception as error:
            raise MlException("Saving blob with prefix x was unsuccessful.", "-") from error

    assert fault_of(wrapped).rule == "AuthorizationFailed"


def test_what_the_sdk_throws_by_mistake_is_called_a_defect(azure: Cloud, connected: Connect) -> None:
    """Told by the frames that it came through; the same error of our own code stays what it is."""
    thrown = fault_of(
        lambda: automl.image_classification(training_data=None, target_column_name="l", primary_metric="X")
    )
    assert thrown.rule == "a defect of the SDK"
    assert thrown.text.startswith("trying: azure-ai-ml failed on its own (KeyError: 'X')")
    azure.wire.break_("GET .*/models/", 429, headers={"Retry-After": "soon"})
    garbled = fault_of(lambda: model(connected(retries=1)))
    assert "ValueError: Invalid HTTP date" in garbled.text
    assert explain(KeyError("ours"), "trying") is None
    with pytest.raises(KeyError), azure_errors("trying", lambda fault: OSError(fault.text)):
        raising(KeyError("ours"))


def test_no_fault_shows_what_an_object_is_called() -> None:
    """The network's own words for a connection that nobody answers."""
    said = "(<HTTPSConnection(host='x', port=1) at 0x7f44>, 'Connection to x timed out. (connect timeout=10.0)')"
    fault = explain(ServiceRequestError(said), "trying")
    assert fault is not None
    assert "(Connection to x timed out. (connect timeout=10.0));" in fault.text


def test_no_fault_quotes_the_signature_of_a_url() -> None:
    """What the network says of a URL goes to terminals and logs; its signature opens the storage to their readers."""
    fault = explain(ServiceRequestError("Max retries exceeded with url: /c/b?sv=2024&sig=abc%2Fd%3D&se=2026"), "trying")
    assert fault is not None
    assert "sig=...&se=2026" in fault.text
    assert "abc" not in fault.text


def test_a_networks_own_page_is_not_taken_for_azure(azure: Cloud, connected: Connect) -> None:
    """A network that wants to be signed in to answers anything with 200 and a page."""
    fault = fault_of(lambda: model(connected(at(azure, f"{azure.url}/page"), timeout_s=2)))
    assert (fault.kind, fault.rule) == ("unreachable", "no JSON")


def test_the_page_of_errors_and_the_code_tell_the_same() -> None:
    """A row for each rule, in the order of the code, word for word."""
    rows = re.findall(r"^\| `?([^|`]+)`? \| ([^|]+) \| ([^|]+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = [(name.strip(), cause.strip(), remedy.strip()) for name, cause, remedy in rows]
    assert [row for row in told if row[0] in RULES] == [(r.name, r.cause, r.remedy) for r in RULES.values()]
    assert {name for name, _, _ in told} - set(RULES) == {"error", "---"}
