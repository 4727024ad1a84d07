"""A job and its trials, read over the real SDK and MLflow's protocol."""

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from edge.azureml.cloud import read_cloud
from edge.azureml.identity import Identity
from edge.azureml.place import SharedRegistry, Workspace
from tests.azure.arm import RESOURCE_GROUP, SUBSCRIPTION, WORKSPACE, WORKSPACE_PATH
from tests.azure.simulation import (
    DETECTION,
    MULTILABEL,
    Metric,
    Run,
    Trial,
    automl_job,
    job_path,
    put_run,
    running_job,
    runs,
)
from tests.azure.standin import Cloud
from training.azure.session import Session
from training.azure.tracking import open_tracking
from training.azure.trials import best_trial, open_job
from training.azure.watch import changed_trials
from training.errors import AzureError, AzureUnavailableError

PLACE = Workspace(SUBSCRIPTION, RESOURCE_GROUP, WORKSPACE)
MLFLOW = r"/mlflow/v2\.0/"


@pytest.fixture
def session(azure: Cloud, tmp_path: Path) -> Iterator[Session]:
    cloud = read_cloud(str(azure.cloud_file(tmp_path)))
    with closing(Session(PLACE, Identity("managed-identity"), cloud, retries=0)) as opened:
        yield opened


def trial(number: int, accuracy: Metric, **hyperparameters: object) -> Trial:
    return Trial(number, {"model_name": "resnet18", **hyperparameters}, {"accuracy": accuracy, "log_loss": 0.5})


def test_a_finished_job_is_seen_with_its_trials(azure: Cloud, session: Session) -> None:
    """Each trial has its state, hyperparameters, last metrics, score and times."""
    trials = [trial(0, [0.2, 0.8], learning_rate=0.01), Trial(1, {"model_name": "resnet50"}, {}, "Failed", "no memory")]
    automl_job(azure, "line", trials=trials, artifacts={})
    with open_job(session, "line") as job:
        view = job.view()
        assert job.failure("line_HD_1") == "no memory"
    assert (view.name, view.kind, view.state, view.status) == ("line", "automl", "completed", "Completed")
    assert (view.metric, view.planned, view.best, view.ended) == ("accuracy", 2, "line_HD_0", True)
    assert view.studio_url == "https://ml.azure.com/runs/line"
    first, second = view.trials
    assert first.hyperparameters == {"model_name": "resnet18", "learning_rate": 0.01}
    assert first.metrics == {"accuracy": 0.8, "log_loss": 0.5}
    assert (first.score, first.state, first.number) == (0.8, "completed", 0)
    assert first.started is not None
    assert first.ended is not None
    assert first.seconds() == (first.ended - first.started).total_seconds()
    assert (second.state, second.score, second.number) == ("failed", None, 1)


def test_a_hundred_trials_come_page_by_page(azure: Cloud, session: Session) -> None:
    """The search goes on where a page ends, below the job's sweep, in the job's own experiment."""
    automl_job(azure, "line", trials=[trial(n, n / 100) for n in range(100)], artifacts={})
    with open_job(session, "line") as job:
        assert [t.number for t in job.view().trials] == list(range(100))
    first, second = azure.wire.bodies("POST", "runs/search")
    assert first == {
        "experiment_ids": ["experiment-plant"],
        "filter": "tags.mlflow.parentRunId = 'line_HD'",
        "max_results": 200,
    }
    assert second == {**first, "page_token": "50"}


def test_a_job_is_seen_as_it_goes_on(azure: Cloud, session: Session) -> None:
    """Waiting, then a trial that runs, then more metrics, then the end; the experiment is asked for once."""
    running = running_job(azure, "line", trials=[trial(0, [0.2, 0.8])], artifacts={})
    seen = []
    with open_job(session, "line") as job:
        while True:
            view = job.view()
            seen.append((view.state, [(t.state, t.score) for t in view.trials]))
            if view.ended:
                break
            running.advance()
    assert seen == [
        ("waiting", []),
        ("running", [("running", None)]),
        ("running", [("running", 0.2)]),
        ("running", [("running", 0.8)]),
        ("completed", [("completed", 0.8)]),
    ]
    assert [e.query for e in azure.wire.exchanges].count("run_id=line") == 1


def test_metrics_that_the_search_leaves_out_are_asked_for_run_by_run(azure: Cloud, session: Session) -> None:
    """Once of a trial that ended."""
    running = running_job(azure, "line", trials=[trial(0, 0.8), trial(1, 0.7)], artifacts={})
    azure.notes["search_hides_metrics"] = True
    for _ in range(4):
        running.advance()
    with open_job(session, "line") as job:
        for _ in range(3):
            assert [(t.state, t.score) for t in job.view().trials] == [("completed", 0.8), ("running", 0.7)]
    asked = [e.query for e in azure.wire.exchanges if e.path.endswith("runs/get")]
    assert asked.count("run_id=line_HD_0") == 1
    assert asked.count("run_id=line_HD_1") == 3


@pytest.mark.parametrize("tail", ["", "/", "?"])
@pytest.mark.parametrize("version", ["v1.0", "v2.0"])
def test_a_tracking_address_may_look_differently(azure: Cloud, session: Session, version: str, tail: str) -> None:
    """What is asked lies below what the workspace says."""
    workspace = azure.resources.get(WORKSPACE_PATH)["properties"]
    workspace["mlFlowTrackingUri"] = f"azureml://localhost:{azure.port}/mlflow/{version}{WORKSPACE_PATH}{tail}"
    with open_tracking(session) as tracking, suppress(AzureError):
        tracking.run("line")
    assert azure.wire.exchanges[-1].path == f"/mlflow/{version}{WORKSPACE_PATH}/api/2.0/mlflow/runs/get"


def test_a_job_that_run_history_does_not_know_yet_waits(azure: Cloud, session: Session) -> None:
    """A job that was submitted a moment ago has no trials, and no fault."""
    running_job(azure, "line", trials=[], artifacts={})
    azure.wire.break_(f"GET {MLFLOW}.*runs/get", 404)
    with open_job(session, "line") as job:
        assert job.view().trials == ()
        assert job.view().note is None


def test_without_metrics_the_sdks_list_of_trials_remains(azure: Cloud, session: Session) -> None:
    """Where the MLflow address refuses, the trials are named all the same, and it is said what lacks."""
    automl_job(azure, "line", trials=[trial(n, n / 100) for n in range(60)], artifacts={})
    azure.wire.break_(MLFLOW, 403)
    with open_job(session, "line") as job:
        view = job.view()
    assert [t.number for t in view.trials] == list(range(60))
    assert view.trials[3].hyperparameters == {"model_name": "resnet18"}
    assert view.trials[3].score is None
    assert view.note is not None
    assert view.note.startswith("metrics cannot be read: asking for the metrics of line: ")


def test_without_a_search_the_sdks_list_is_asked_for_run_by_run(azure: Cloud, session: Session) -> None:
    """Metrics come all the same, once of a trial that ended."""
    automl_job(azure, "line", trials=[trial(n, n / 100) for n in range(3)], artifacts={})
    azure.wire.break_(r"POST .*runs/search", 400)
    with open_job(session, "line") as job:
        for _ in range(2):
            view = job.view()
            assert [t.score for t in view.trials] == [0.0, 0.01, 0.02]
            assert view.note is None
    assert [e.query for e in azure.wire.exchanges].count("run_id=line_HD_1") == 1


def test_a_job_whose_sweep_is_not_there_yet_has_no_trials(azure: Cloud, session: Session) -> None:
    """AutoML looks at the data first."""
    automl_job(azure, "line", trials=[], status="Running", artifacts={})
    with open_job(session, "line") as job:
        view = job.view()
    assert (view.state, view.trials, view.note) == ("running", (), None)


def test_trials_may_lie_directly_below_the_job(azure: Cloud, session: Session) -> None:
    """Those with hyperparameters, or called after the job; what prepares the job is none of them."""
    automl_job(azure, "line", trials=[], artifacts={})
    command = {"jobType": "Command", "status": "Completed", "command": "", "environmentId": "azureml:automl:1"}
    for name, tags in (("line_setup", {}), ("line_0", {}), ("other", {"hyperparameters": "{}"})):
        put_run(azure, name, {**command, "tags": tags}, Run("line"))
    with open_job(session, "line") as job:
        assert [t.name for t in job.view().trials] == ["line_0", "other"]


def test_a_sweep_is_a_job_too(azure: Cloud, session: Session) -> None:
    """Its own children are the trials; it names its metric and the best of them."""
    automl_job(azure, "line", trials=[trial(0, 0.9), trial(1, 0.7)], artifacts={})
    with open_job(session, "line_HD") as job:
        view = job.view()
    assert (view.kind, view.metric, view.best, view.planned) == ("sweep", "accuracy", "line_HD_0", 1)
    assert [t.score for t in view.trials] == [0.9, 0.7]
    assert best_trial(session, "line_HD").name == "line_HD_0"


def test_the_steps_of_a_pipeline_are_its_trials(azure: Cloud, session: Session) -> None:
    """They have states, and no score."""
    pipeline = {"jobType": "Pipeline", "status": "Running", "jobs": {}, "inputs": {}, "settings": {}}
    put_run(azure, "line", pipeline, Run())
    put_run(azure, "step", {"jobType": "Command", "status": "Completed"}, Run("line"))
    with open_job(session, "line") as job:
        view = job.view()
    assert (view.kind, view.state, view.metric, view.best) == ("pipeline", "running", None, None)
    assert [(t.name, t.state, t.score) for t in view.trials] == [("step", "completed", None)]


def test_azure_being_away_is_no_answer(azure: Cloud, session: Session) -> None:
    """A fault that passes is raised as one, so that who follows a job may try again."""
    automl_job(azure, "line", trials=[trial(0, 0.9)], artifacts={})
    azure.wire.break_(MLFLOW, 503)
    with open_job(session, "line") as job, pytest.raises(AzureUnavailableError, match="asking for the metrics of line"):
        job.view()


@pytest.mark.parametrize("away", [r"POST .*runs/search", r"GET .*runs/get", r"GET /history/.*/children"])
def test_azure_may_go_away_at_any_request(azure: Cloud, session: Session, away: str) -> None:
    """What passes is never taken for a job without trials or metrics."""
    automl_job(azure, "line", trials=[trial(0, 0.9)], artifacts={})
    azure.wire.break_(r"POST .*runs/search", 400)
    azure.wire.break_(away, 503)
    with open_job(session, "line") as job, pytest.raises(AzureUnavailableError):
        job.view()


@pytest.mark.parametrize("away", [r"GET .*/jobs/line$", r"GET .*/jobs/line_HD$", r"GET .*runs/get"])
def test_azure_may_go_away_while_the_best_trial_is_asked_for(azure: Cloud, session: Session, away: str) -> None:
    """What passes is never taken for a job without a best trial."""
    automl_job(azure, "line", trials=[trial(0, 0.9)], artifacts={})
    azure.resources.get(job_path("line"))["properties"]["tags"].clear()
    azure.wire.break_(away, 503)
    with pytest.raises(AzureUnavailableError):
        best_trial(session, "line")


def test_the_best_trial_is_the_one_that_the_job_names(azure: Cloud, session: Session) -> None:
    """With its hyperparameters and metrics."""
    automl_job(azure, "line", trials=[trial(0, 0.9, learning_rate=0.1), trial(1, 0.7)], artifacts={})
    best = best_trial(session, "line")
    assert (best.name, best.score, best.hyperparameters["learning_rate"]) == ("line_HD_0", 0.9, 0.1)


def test_without_the_jobs_word_the_sweeps_counts(azure: Cloud, session: Session) -> None:
    """The sweep names its best child too."""
    automl_job(azure, "line", trials=[trial(0, 0.9)], artifacts={})
    azure.resources.get(job_path("line"))["properties"]["tags"].clear()
    assert best_trial(session, "line").name == "line_HD_0"


def test_the_best_trial_is_named_even_where_its_metrics_cannot_be_read(azure: Cloud, session: Session) -> None:
    """Its files can be fetched without them."""
    automl_job(azure, "line", trials=[trial(0, 0.9)], artifacts={})
    azure.wire.break_(MLFLOW, 403)
    assert best_trial(session, "line").name == "line_HD_0"


def test_a_job_without_a_best_trial_says_how_it_stands(azure: Cloud, session: Session) -> None:
    """The state and the count of trials tell what to do."""
    running = running_job(azure, "line", trials=[trial(0, 0.9), trial(1, 0.9)], artifacts={})
    with pytest.raises(AzureError, match="job line: has no best trial; it is Queued, no trial has begun"):
        best_trial(session, "line")
    for _ in range(3):
        running.advance()
    with pytest.raises(AzureError, match="it is Running, 1 of 2 trials completed"):
        best_trial(session, "line")


def test_an_unknown_job_is_named(azure: Cloud, session: Session) -> None:  # noqa: ARG001 - the cloud must be there
    """The name is in the line."""
    with pytest.raises(AzureError, match="asking for the job nobody: "):
        best_trial(session, "nobody")


def test_a_registry_has_no_jobs(session: Session) -> None:
    """Nothing is asked."""
    registry = Session(SharedRegistry("shared"), session.identity, session.cloud)
    with pytest.raises(AzureError, match="registry shared: jobs run in workspaces"), open_job(registry, "line"):
        pass


def test_a_workspace_without_a_tracking_address_is_refused(azure: Cloud, session: Session) -> None:
    """The line says what Azure told."""
    for body in azure.resources:
        body["properties"].pop("mlFlowTrackingUri", None)
    with pytest.raises(AzureError, match="does not say where its run history is"), open_job(session, "line"):
        pass


def test_an_answer_of_another_shape_is_refused(azure: Cloud, session: Session) -> None:
    """A metric that is no number is not read as one."""
    automl_job(azure, "line", trials=[trial(0, 0.9)], artifacts={})
    runs(azure)["line"].metrics["accuracy"] = ["many"]  # type: ignore[list-item] # what a broken answer holds
    with open_tracking(session) as tracking, pytest.raises(AzureError, match="run history of line: answers what"):
        tracking.run("line")


@pytest.mark.parametrize(("task", "metric"), [(MULTILABEL, "iou"), (DETECTION, "mean_average_precision")])
def test_each_task_has_its_metric(azure: Cloud, session: Session, task: str, metric: str) -> None:
    """Also where only the resource tells it, in Azure's spelling."""
    automl_job(azure, "line", task=task, trials=[Trial(0, {}, {metric: 0.4})], artifacts={})
    azure.resources.get(job_path("line"))["properties"]["properties"].clear()
    with open_job(session, "line") as job:
        view = job.view()
    assert (view.metric, view.trials[0].score) == (metric, 0.4)


def test_a_job_inside_a_pipeline_is_seen_as_what_it_is(azure: Cloud, session: Session) -> None:
    """The control plane tells nothing of it, and the SDK knows no type: run history has AutoML's settings."""
    automl_job(azure, "line", trials=[trial(0, 0.8), trial(1, 0.9)], artifacts={})
    azure.notes["steps"] = ("line", "line_HD")
    with open_job(session, "line") as job:
        view = job.view()
        assert job.best() == "line_HD_1"
    assert (view.kind, view.state, view.metric) == ("automl", "completed", "accuracy")
    assert [found.score for found in view.trials] == [0.8, 0.9]


def test_a_metric_that_has_diverged_is_none(azure: Cloud, session: Session) -> None:
    """It would be news at each look, equal to nothing, and no JSON."""
    diverged: dict[str, Metric] = {"accuracy": 0.8, "log_loss": float("nan"), "gradient": [1.0, float("inf")]}
    automl_job(azure, "line", trials=[Trial(0, {}, diverged)], artifacts={})
    with open_job(session, "line") as job:
        before, after = job.view(), job.view()
    assert after.trials[0].metrics == {"accuracy": 0.8}
    assert changed_trials(before, after) == []
