"""The daemon explains its answers, beside live pictures and until it is stopped."""

import base64
import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge.preprocess.decode import decode
from tests.daemon import RunningDaemon, running
from tests.edge.daemon.test_run import RED, register
from tests.fakes import CROP, GraphOptions, make_bundle
from tests.mosquitto import until


def asked(daemon: RunningDaemon, **parameters: Any) -> httpx.Response:
    """Ask for the reasons of the answer to a red picture."""
    row = {"image_base64": base64.b64encode(RED).decode(), "model_explainability": True, "xai_parameters": parameters}
    body = {"input_data": {"columns": ["image"], "data": [json.dumps(row)]}}
    return httpx.post(f"{daemon.url}/score", json=body, timeout=60)


@pytest.mark.parametrize("shape", ["lanes", "pipeline"])
def test_an_answer_is_explained_and_delivered_once(tmp_path: Path, shape: str) -> None:
    """In either shape: a figure, a map in each channel, one result, one counted explanation."""
    register(tmp_path, "1")
    with running(tmp_path, EDGE_BATCHING__SHAPE=shape) as daemon:
        (found,) = asked(daemon, attributions=True, n_steps=30).json()
        results = httpx.get(f"{daemon.url}/v1/results").json()["results"]
        metrics = httpx.get(f"{daemon.url}/metrics").text
    assert found["labels"][found["probs"].index(max(found["probs"]))] == "red"
    assert decode(base64.b64decode(found["visualizations"])).shape == (452, 452, 3)
    assert [len(found["attributions"]), len(found["attributions"][0]), len(found["attributions"][0][0])] == [
        3,
        CROP,
        CROP,
    ]
    assert len(results) == 1
    assert 'automl_edge_explanations_total{outcome="ok"} 1.0' in metrics


def test_live_pictures_are_answered_while_an_explanation_takes_its_time_and_a_stop_ends_it(tmp_path: Path) -> None:
    """The client is told that the daemon stops; the stop does not wait for the rest."""
    make_bundle(tmp_path / "models" / "colours" / "1", graph=GraphOptions(slowness=20))
    answers: list[httpx.Response] = []
    with running(tmp_path) as daemon:
        reasons = threading.Thread(target=lambda: answers.append(asked(daemon, n_steps=10_000)))
        reasons.start()
        until(lambda: len(httpx.get(f"{daemon.url}/v1/results").json()["results"]) == 1, what="the plain answer")
        assert daemon.predict(RED)["predictions"][0]["label"] == "red"
        began = time.monotonic()
        assert daemon.stop() == 0
        took_s = time.monotonic() - began
        reasons.join()
    assert took_s < 10
    assert (answers[0].status_code, answers[0].json()["title"]) == (503, "Stopping")
