"""Submitting and canceling over the real SDK: what is checked first, and what holds when the network fails."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.azure.arm import WORKSPACE_PATH
from tests.azure.orders import CLUSTER, TRAINING, VALIDATION, furnish_jobs, job, put_data, session_of
from tests.azure.routes.computes import cluster, make_compute
from tests.azure.simulation import finish
from tests.azure.standin import Cloud
from training.azure.job_file import check_job
from training.azure.jobs import Order, cancel, order_of, planned, status_of, submit, wait_for_end
from training.azure.session import Session
from training.errors import AzureError, AzureUnavailableError, UsageError

PUT = r"PUT .*/jobs/"
LINE = '{"image_url": "azureml://datastores/workspaceblobstore/paths/a.jpg", "label": "dent"}\n'


@pytest.fixture
def opened(azure: Cloud, tmp_path: Path) -> Iterator[Callable[..., Session]]:
    """Sessions with other times or retries, closed in the end."""
    furnish_jobs(azure)
    with ExitStack() as stack:
        yield lambda **how: stack.enter_context(closing(session_of(azure, tmp_path, **how)))


@pytest.fixture
def session(opened: Callable[..., Session]) -> Session:
    return opened()


@pytest.fixture
def order(tmp_path: Path) -> Callable[..., Order]:
    def make(name: str | None = "run_1", **changes: Any) -> Order:
        return order_of(check_job(job(**changes), tmp_path / "job.toml"), tmp_path, name)

    return make


def write_table(folder: Path, lines: str = LINE * 12) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "MLTable").write_text("paths:\n  - file: ./train.jsonl\n")
    (folder / "train.jsonl").write_text(lines)
    return folder


def test_a_job_is_submitted_once(azure: Cloud, session: Session, order: Callable[..., Order]) -> None:
    """It is told where the studio shows it; its name cannot be given again, and the remedy is named."""
    done = submit(session, order(validation_data=f"azureml:{VALIDATION}@latest"))
    assert (done.name, done.status, done.training_data) == ("run_1", "NotStarted", f"{TRAINING}:3")
    assert done.validation_data == f"{VALIDATION}:1"
    assert done.studio_url is not None
    assert done.studio_url.startswith("https://ml.azure.com/runs/run_1?wsid=/subscriptions/")
    with pytest.raises(UsageError, match=r"there is a job run_1 already.*choose another --name.*azure watch run_1"):
        submit(session, order())
    assert azure.wire.count("PUT", "/jobs/") == 1


def test_the_simulation_goes_on_with_it(azure: Cloud, session: Session, order: Callable[..., Order]) -> None:
    """What was submitted can be let end, and keeps what was asked for."""
    submit(session, order(tags={"line": "4"}))
    finish(azure, "run_1", artifacts={})
    assert status_of(session, "run_1") == "Completed"
    kept = session.client.jobs.get("run_1")
    assert kept.tags["line"] == "4"
    assert kept.tags["automl_best_child_run_id"] == "run_1_HD_0"


def test_a_job_without_a_name_gets_one(azure: Cloud, session: Session, order: Callable[..., Order]) -> None:
    """Of the experiment, the time and chance: so that nobody has it, it is not asked for."""
    noon = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    told: list[str] = []
    names = [
        submit(session, order(None, experiment="Line 4"), told=told.append, now=lambda: noon).name for _ in range(2)
    ]
    assert told == names
    assert len(set(names)) == 2
    assert all(name.startswith("Line-4-20261121-120000-") for name in names)
    assert azure.wire.count("GET", "/jobs/") == 0


def test_all_that_is_missing_is_told_before_anything_is_sent(azure: Cloud, session: Session, order: Any) -> None:
    """The SDK looks for none of it."""
    with pytest.raises(AzureError) as caught:
        submit(session, order(training_data="azureml:x:1", validation_data="azureml:y@latest", compute="gone"))
    said = str(caught.value)
    assert said.startswith("not submitted: there is no data asset x:1 (automl-train data upload ")
    assert "there is no data asset y@latest" in said
    assert "there is no compute gone (automl-train azure compute ensure makes it)" in said
    assert azure.wire.count("PUT", "") == 0


def test_what_cannot_be_trained_on(azure: Cloud, session: Session, order: Callable[..., Order]) -> None:
    """Pictures alone are no table, boxes are no classes; a trial of three machines needs three, with GPUs."""
    put_data(azure, "pictures", kind="uri_folder")
    put_data(azure, "boxes", task="image-object-detection")
    make_compute(azure, "small", **cluster("Standard_DS3_v2", high=2))
    changes = {"training_data": "azureml:pictures:1", "validation_data": "azureml:boxes@latest", "compute": "small"}
    with pytest.raises(AzureError) as caught:
        submit(session, order(node_count_per_trial=3, **changes))
    said = str(caught.value)
    assert "pictures:1 is a uri_folder; AutoML for images is trained on an mltable" in said
    assert "boxes:1 is for image-object-detection, the job for image-classification" in said
    assert "machines of the size Standard_DS3_v2, without a GPU" in said
    assert "grows to 2 nodes, but a trial wants 3" in said


def test_a_local_table_becomes_an_asset_once(azure: Cloud, session: Session, order: Any, tmp_path: Path) -> None:
    """Its version is made of its content: the same table is sent once, a changed one gets a version of its own."""
    folder = write_table(tmp_path / "train")
    first = submit(session, order("run_1", training_data="train"))
    again = submit(session, order("run_2", training_data="train"))
    assert first.training_data == again.training_data
    assert azure.wire.count("PUT", "/data/train/versions/") == 1
    version = first.training_data.partition(":")[2]
    kept = azure.resources.get(f"{WORKSPACE_PATH}/data/train/versions/{version}")["properties"]
    assert kept["dataType"] == "mltable"
    path = kept["dataUri"].partition("/paths/")[2]
    assert azure.blobs.read(f"{path}train.jsonl").decode() == LINE * 12
    (body,) = azure.wire.bodies("PUT", "/jobs/run_1$")
    assert body["properties"]["taskDetails"]["trainingData"]["uri"].endswith(f"/data/train/versions/{version}")
    write_table(folder, LINE * 13)
    assert submit(session, order("run_3", training_data="train")).training_data != first.training_data


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('{"image_url": "./a.jpg", "label": "dent"}\n', "the picture ./a.jpg is not in Azure; upload it with"),
        ('{"image_url": "file:///a.jpg", "label": "dent"}\n', "the picture file:///a.jpg is not in Azure"),
        ('{"label": "dent"}\n', "each line is a JSON object with an image_url"),
        ("dent\n", "each line is a JSON object with an image_url"),
        ("", "needs a file MLTable and a .jsonl file with at least one picture"),
    ],
)
def test_a_local_table_that_azure_could_not_read(order: Any, tmp_path: Path, lines: str, said: str) -> None:
    """It is told here, and not by a cluster that has started."""
    write_table(tmp_path / "train", lines)
    with pytest.raises(UsageError, match=said):
        order(training_data="train")


@pytest.mark.parametrize("place", ["azureml://datastores/x/paths/a.jpg", "https://x/a.jpg", "AmlDatastore://x/a.jpg"])
def test_a_local_table_of_pictures_in_azure(order: Any, tmp_path: Path, place: str) -> None:
    """By any of the forms that AutoML has known."""
    write_table(tmp_path / "train", f'{{"image_url": "{place}", "label": "dent"}}\n')
    assert order(training_data="train").training.table.pictures == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_fault_is_tried_again(azure: Cloud, session: Session, order: Any, status: int) -> None:
    """The same name is put again: there is one job."""
    azure.wire.break_(PUT, status, headers={"Retry-After": "1"}, times=1)
    assert submit(session, order()).name == "run_1"
    assert azure.wire.count("PUT", "/jobs/") == 2
    assert len(azure.resources.below(f"{WORKSPACE_PATH}/jobs")) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_fault_that_stays(azure: Cloud, opened: Any, order: Any, status: int) -> None:
    """Azure is away: the same may work later. Nothing was started."""
    azure.wire.break_(PUT, status, headers={"Retry-After": "1"})
    with pytest.raises(
        AzureUnavailableError, match=r"submitting the job run_1.*again with --name run_1 cannot start a"
    ):
        submit(opened(retries=0), order())
    assert azure.resources.below(f"{WORKSPACE_PATH}/jobs") == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409])
def test_a_refusal_is_final(azure: Cloud, session: Session, order: Any, status: int) -> None:
    """It is asked once, and the error names the job."""
    azure.wire.break_(PUT, status, message="no, says Azure")
    with pytest.raises(AzureError, match="submitting the job run_1") as caught:
        submit(session, order())
    assert not isinstance(caught.value, AzureUnavailableError)
    assert azure.wire.count("PUT", "/jobs/") == 1


def test_a_job_whose_answer_got_lost_is_found_again(azure: Cloud, opened: Any, order: Any) -> None:
    """Azure has it, though it answered with an error: it is known by its mark, and no second one is started."""
    azure.notes["lost_answers"] = 9
    done = submit(opened(retries=0), order())
    assert done.name == "run_1"
    assert azure.wire.count("PUT", "/jobs/") == 1


def test_the_sdk_s_own_repetition_may_be_refused(azure: Cloud, session: Session, order: Any) -> None:
    """By a service that has the job already: it is ours all the same."""
    azure.notes["lost_answers"], azure.notes["names_are_final"] = 1, True
    assert submit(session, order()).name == "run_1"
    assert [e.status for e in azure.wire.exchanges if e.method == "PUT"] == [500, 409]


def test_another_one_s_job_of_that_name_is_not_taken_for_ours(azure: Cloud, session: Session, order: Any) -> None:
    """Somebody was faster: the refusal is told."""
    azure.wire.break_(r"GET .*/jobs/run_1", 404, times=1)
    submit(session, order(experiment="of-somebody-else"))
    azure.wire.break_(r"GET .*/jobs/run_1", 404, times=1)
    with pytest.raises(AzureError, match="already exists"):
        submit(session, order())


def test_an_answer_that_does_not_come(azure: Cloud, opened: Any, order: Any) -> None:
    """The request is sent again; the first, which arrives late, changes nothing."""
    azure.wire.break_(PUT, hang_s=3.0, times=1)
    done = submit(opened(timeout_s=0.5), order())
    assert done.name == "run_1"
    azure.wire.mend()
    assert len(azure.resources.below(f"{WORKSPACE_PATH}/jobs")) == 1


def test_silence_ends(azure: Cloud, opened: Any, order: Any) -> None:
    """Twice the time that an answer may take, and no more."""
    azure.wire.break_(PUT, 503, hang_s=5.0)
    with pytest.raises(AzureUnavailableError, match="submitting the job run_1"):
        submit(opened(timeout_s=0.3), order())
    assert azure.resources.below(f"{WORKSPACE_PATH}/jobs") == []


@pytest.mark.parametrize(
    ("pattern", "what"),
    [
        (rf"GET .*/data/{TRAINING}", f"looking for the data asset {TRAINING}:3"),
        (rf"GET .*/computes/{CLUSTER}", f"looking for the compute {CLUSTER}"),
        (r"GET .*/jobs/run_1", "looking for the job run_1"),
    ],
)
def test_who_may_not_look_is_told_so(azure: Cloud, session: Session, order: Any, pattern: str, what: str) -> None:
    """A refusal is not taken for something that is missing."""
    azure.wire.break_(pattern, 403)
    with pytest.raises(AzureError, match=what):
        submit(session, order())
    assert azure.wire.count("PUT", "/jobs/") == 0


def test_a_rehearsal_asks_nobody_and_is_what_is_sent(azure: Cloud, session: Session, order: Any) -> None:
    """The very body, twice the same."""
    first, again = planned(session, order()), planned(session, order())
    assert first == again
    assert azure.wire.exchanges == ()
    submit(session, order())
    (body,) = azure.wire.bodies("PUT", "/jobs/run_1$")
    for properties in (first.body["properties"]["properties"], body["properties"]["properties"]):
        for key in [key for key in properties if "git" in key]:
            del properties[key]  # the folder's state may change while tests run
    assert first.body == body
    assert first.method == "PUT"
    assert first.url.startswith(f"{azure.url}{WORKSPACE_PATH}/jobs/run_1?api-version=")


@pytest.mark.parametrize("identity", ["managed", "user"])
def test_a_rehearsal_needs_no_identity(session: Session, order: Any, identity: str) -> None:
    """Not even where the SDK wants the token of who submits."""
    assert planned(session, order(identity={"type": identity})).body["properties"]["identity"]


def test_a_rehearsal_shows_the_newest_as_such(session: Session, order: Any, tmp_path: Path) -> None:
    """Which version that is, only Azure knows; a local table's version is known."""
    write_table(tmp_path / "valid")
    body = planned(session, order(training_data=f"azureml:{TRAINING}@latest", validation_data="valid")).body
    details = body["properties"]["taskDetails"]
    assert details["trainingData"]["uri"].endswith(f"/data/{TRAINING}/labels/latest")
    assert "/data/valid/versions/" in details["validationData"]["uri"]


def test_a_job_is_canceled(azure: Cloud, session: Session, order: Any) -> None:
    """Once; what has ended is left alone."""
    submit(session, order())
    assert cancel(session, "run_1") == "CancelRequested"
    assert status_of(session, "run_1") == "Canceled"
    assert cancel(session, "run_1") == "Canceled"
    assert azure.wire.count("POST", "/jobs/run_1/cancel") == 1


def test_the_end_is_waited_for(azure: Cloud, session: Session, order: Any) -> None:
    """A cluster takes a while to let go."""
    submit(session, order())
    kept: list[Any] = []
    azure.notes["on_cancel"] = kept.append
    cancel(session, "run_1")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        kept[0]["properties"]["status"] = "CancelRequested" if len(waits) < 3 else "Canceled"

    assert wait_for_end(session, "run_1", within_s=60, sleep=wait) == "Canceled"
    assert waits == [5.0] * 3
    kept[0]["properties"]["status"] = "Running"
    with pytest.raises(AzureError, match="the job run_1 is Running after 0 s"):
        wait_for_end(session, "run_1", within_s=0)


def test_a_job_that_is_not_there(session: Session) -> None:
    """It cannot be canceled."""
    with pytest.raises(AzureError, match="there is no job gone"):
        cancel(session, "gone")
