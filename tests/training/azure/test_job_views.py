"""What Azure's words, tags and metrics mean."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from training.azure.job_views import hyperparameters_of, job_view, state_of


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("Queued", "waiting"),
        ("SCHEDULED", "waiting"),
        ("Running", "running"),
        ("Finalizing", "running"),
        ("CancelRequested", "running"),
        ("something new", "running"),
        ("FINISHED", "completed"),
        ("KILLED", "cancelled"),
        ("Canceled", "cancelled"),
        ("FAILED", "failed"),
    ],
)
def test_words_for_states(word: str, state: str) -> None:
    """Azure's and MLflow's words mean one of five."""
    assert state_of(word) == state


@pytest.mark.parametrize(
    ("tag", "flat"),
    [
        (
            {"model": {"model_name": "vits16r224", "layers_to_freeze": 2}, "seed": 1},
            ["model_name", "layers_to_freeze", "seed"],
        ),
        ({"learning_rate": 0.1}, ["learning_rate"]),
        ([], []),
    ],
)
def test_hyperparameters_are_flat(tag: object, flat: list[str]) -> None:
    """AutoML keeps some a level deeper."""
    assert list(hyperparameters_of({"hyperparameters": json.dumps(tag)})) == flat


@pytest.mark.parametrize("tags", [{}, {"hyperparameters": "{not json"}])
def test_a_trial_may_tell_nothing(tags: Mapping[str, str]) -> None:
    """Then it has no hyperparameters."""
    assert hyperparameters_of(tags) == {}


@pytest.mark.parametrize("created", [datetime(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)])  # noqa: DTZ001 - what is asked
def test_when_a_job_was_made_can_be_compared_with_now(created: datetime) -> None:
    """A time without a zone is UTC's."""
    known = {
        "name": "line",
        "type": "automl",
        "status": "Running",
        "tags": None,
        "properties": None,
        "studio_url": None,
    }
    job = SimpleNamespace(**known, creation_context=SimpleNamespace(created_at=created))
    assert job_view(job).created == datetime(2026, 1, 1, tzinfo=UTC)
