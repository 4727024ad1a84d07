"""What the daemon is told where Azure refuses, throttles, hangs or is away; the real SDK over the real wire."""

import base64
import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edge.azureml.asking import Teller
from edge.azureml.faults import without_secrets
from edge.registry.inquiry import Failure, Progress, parse_message
from tests.azure.blobs import free_port
from tests.azure.routes.storage import lead_through
from tests.azure.routes.workspace import refuse_blobs
from tests.azure.standin import Cloud
from tests.edge.azureml.held import Asker, files_of, put_automl, put_bundle, tagged_digest

LIST = r"GET .*/models/colours/versions$"
ONE = r"GET .*/models/colours/versions/1$"
SECRETS = r"POST .*/listSecrets"
BLOBS = r"GET /storage/"
STATUSES: list[tuple[int, str]] = [
    (401, "signed-out"),
    (403, "denied"),
    (404, "absent"),
    (409, "conflict"),
    (429, "throttled"),
    (500, "server"),
    (503, "server"),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
def test_a_look_that_azure_refuses_says_whose_fault_it_is(azure: Cloud, asker: Asker, status: int, kind: str) -> None:
    """One request and no more: the daemon waits, and tries again."""
    azure.wire.break_(LIST, status, headers={"Retry-After": "7"} if status == 429 else {})
    failure = asker.failure()
    assert (failure.error, failure.kind) == ("RegistryError", kind)
    assert "listing the versions of model colours in workspace vision" in failure.reason
    assert failure.retry_after_s == (7.0 if status == 429 else None)
    assert azure.wire.count("GET", "/models/") == 1


@pytest.mark.parametrize("where", [ONE, SECRETS, r"GET .*/datastores/workspaceblobstore$"])
@pytest.mark.parametrize(("status", "kind"), [(401, "signed-out"), (429, "throttled"), (500, "server")])
def test_a_fetch_that_azure_refuses_says_whose_fault_it_is(
    azure: Cloud, asker: Asker, tmp_path: Path, where: str, status: int, kind: str
) -> None:
    """Wherever on the way it happens."""
    put_bundle(azure, tmp_path)
    azure.wire.break_(where, status)
    failure = asker.fetch_failure("1", tagged_digest(azure, "1"))
    assert (failure.error, failure.kind) == ("RegistryError", kind)


@pytest.mark.parametrize(
    ("status", "code", "kind", "word"),
    [
        (403, "AuthorizationPermissionMismatch", "denied", "Storage Blob Data Reader"),
        (403, "AuthenticationFailed", "denied", "expired SAS"),
        (403, "AuthorizationFailure", "denied", "storage account"),
        (404, "BlobNotFound", "absent", "held/colours/1"),
        (409, "AccountBeingCreated", "conflict", "held/colours/1"),
        (503, "ServerBusy", "throttled", "held/colours/1"),
    ],
)
def test_a_blob_that_is_refused_says_what_to_do(
    azure: Cloud, asker: Asker, tmp_path: Path, status: int, code: str, kind: str, word: str
) -> None:
    """A device's identity that may read models, and not the blobs behind them, is the usual one."""
    lead_through(azure)
    put_bundle(azure, tmp_path)
    azure.wire.break_(BLOBS, status, code=code, headers={"x-ms-error-code": code, "Retry-After": "60"})
    failure = asker.fetch_failure("1", tagged_digest(azure, "1"))
    assert failure.error == "RegistryError"
    assert word in failure.reason
    assert failure.kind in (kind, "server")


def test_an_identity_without_rights_at_the_storage_is_told_of(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """A datastore that keeps no secret is opened by who asks; untagged bundles fail the whole look."""
    azure.secrets = "None"
    lead_through(azure)
    put_bundle(azure, tmp_path, tagged=False)
    mismatch = "AuthorizationPermissionMismatch"
    azure.wire.break_(BLOBS, 403, code=mismatch, headers={"x-ms-error-code": mismatch})
    failure = asker.failure()
    assert (failure.error, failure.kind) == ("RegistryError", "denied")
    assert "Storage Blob Data Reader" in failure.reason
    assert azure.wire.count("POST", "/listSecrets") == 0


def test_a_device_needs_no_right_to_the_storages_key(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """It opens the storage as itself then; where that is denied too, the role for that is named."""
    folder = put_bundle(azure, tmp_path)
    azure.wire.break_(SECRETS, 403, code="AuthorizationFailed")
    assert files_of(asker.fetch("1", tagged_digest(azure, "1"))) == files_of(folder)
    refuse_blobs(azure, "AuthorizationPermissionMismatch", "GET")
    failure = asker.fetch_failure("1", tagged_digest(azure, "1"))
    assert failure.kind == "denied"
    assert "Storage Blob Data Reader" in failure.reason


def test_what_fails_while_a_model_is_traced_fails_the_look(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """Were the newest refused for it, an older version would be taken for the newest."""
    put_bundle(azure, tmp_path, "1")
    put_automl(azure, "calm_sky_HD_3", "2", hour=1)
    azure.wire.break_(SECRETS, 503)
    assert asker.failure().kind == "server"


def test_a_hang_ends(azure: Cloud, asker: Asker) -> None:
    """Azure accepts the connection, and says nothing."""
    azure.wire.break_(LIST, hang_s=30)
    began = time.monotonic()
    failure = asker.failure(who={"timeout_s": 0.5})
    assert time.monotonic() - began < 25
    assert (failure.error, failure.kind) == ("RegistryError", "unreachable")


def test_a_storage_that_hangs_is_asked_again(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """What has come is kept, and a sign of life is given in between."""
    lead_through(azure)
    put_bundle(azure, tmp_path)
    azure.wire.break_(BLOBS + ".*manifest.json", hang_s=30, times=1)
    asker.fetch("1", tagged_digest(azure, "1"), who={"timeout_s": 2.0})
    assert Progress() in asker.progress[1:]


def test_a_storage_that_goes_on_failing_is_given_up(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """After a few tries: the daemon has more patience."""
    lead_through(azure)
    put_bundle(azure, tmp_path)
    azure.wire.break_(BLOBS + ".*manifest.json", 500)
    assert asker.fetch_failure("1", tagged_digest(azure, "1")).kind == "server"
    assert azure.wire.count("GET", "/storage/.*manifest.json") == 3


def test_an_azure_that_is_away_is_told_of_at_once(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """No route, or nobody there: one line, without addresses of memory that differ each time."""
    file = azure.cloud_file(tmp_path)
    away = tmp_path / "away.json"
    away.write_text(file.read_text().replace(str(azure.port), str(free_port())))
    failures = [asker.failure(who={"cloud": str(away)}) for _ in range(2)]
    assert failures[0] == failures[1]
    assert failures[0].kind == "unreachable"


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        ({"credential": "magic"}, "the credential 'magic' must be one of"),
        ({"credential": "certificate"}, "certificate"),
        ({"workspace": ""}, "the workspace is not fully named"),
        ({"cloud": "/nowhere.json"}, "cloud"),
    ],
)
def test_a_configuration_that_cannot_work_is_told_of(asker: Asker, who: Mapping[str, Any], reason: str) -> None:
    """Nothing is asked."""
    failure = asker.failure(who=dict(who))
    assert (failure.error, failure.kind) == ("ConfigError", "configuration")
    assert reason in failure.reason


def test_what_nobody_thought_of_is_an_answer_too(
    azure: Cloud, asker: Asker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The daemon hears of it, and the whole story goes to standard error."""
    put_bundle(azure, tmp_path)
    failure = asker.failure("fetch", version="1", digest=tagged_digest(azure, "1"), into="\0")
    assert (failure.error, failure.kind) == ("RegistryError", "unexpected")
    assert "Traceback" in capsys.readouterr().err


def test_no_signature_of_a_url_leaves_the_process() -> None:
    """Errors of the network quote the URL; its signature opens the storage to whoever reads it."""
    signature = base64.b64encode(b"0123456789" * 3).decode().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    text = f"Max retries exceeded with url: /c/b?sv=2024&sig={signature}&se=2026 (Caused by x)"
    assert without_secrets(text) == "Max retries exceeded with url: /c/b?sv=2024&sig=...&se=2026 (Caused by x)"
    output = io.BytesIO()
    Teller(output).tell(Failure("RegistryError", "unreachable", text))
    assert signature.encode() not in output.getvalue()


def test_progress_is_told_now_and_then() -> None:
    """Not for every piece; the answer always."""
    output = io.BytesIO()
    teller = Teller(output, every_s=60.0)
    for took in range(100):
        teller.progress(Progress(took, 100))
    teller.tell("fetched")
    assert [parse_message(line) for line in output.getvalue().splitlines()] == [Progress(0, 100), "fetched"]
