"""Probes, status, models and metrics: what Control says, as JSON."""

from tests.edge.api.conftest import Ask, Serve
from tests.edge.api.fakes import FakeControl


def test_the_process_is_alive_even_when_not_ready(ask: Ask, control: FakeControl) -> None:
    """Liveness must not restart a device whose camera is away."""
    control.reasons = ["no model"]
    assert ask("GET", "/livez").json() == {"status": "live"}


def test_readiness_tells_its_reasons(ask: Ask, control: FakeControl) -> None:
    """503 with every reason, without folders of the machine; 200 when there is none."""
    assert ask("GET", "/readyz").json() == {"status": "ready", "problems": []}
    control.reasons = ["no proven model: /srv/models/metal/2/model.onnx is cut off", "broker away"]
    answer = ask("GET", "/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "status": "not ready",
        "problems": ["no proven model: model.onnx is cut off", "broker away"],
    }


def test_status_and_models_are_what_control_says(ask: Ask) -> None:
    """Nothing is added or left out."""
    assert ask("GET", "/v1/status").json()["provider"] == "CPUExecutionProvider"
    assert ask("GET", "/v1/models").json() == {
        "models": [
            {"name": "metal", "version": "1", "state": "current"},
            {"name": "metal", "version": "2", "state": "available"},
        ]
    }


def test_a_version_is_activated_and_rolled_back(serve: Serve, control: FakeControl) -> None:
    """With a version, without a body (the newest), and back."""
    client = serve()
    activated = client.post("/v1/models/metal/activate", json={"version": "2"})
    assert activated.json() == {"model": {"name": "metal", "version": "2", "proven": True}}
    assert client.post("/v1/models/metal/rollback").json()["model"]["version"] == "1"
    assert client.post("/v1/models/metal/activate").json()["model"]["version"] == "2"
    assert client.post("/v1/models/metal/activate", json={}).json()["model"]["version"] == "2"
    assert client.post("/v1/models/metal/activate", content=b'{"version": "2"}').json()["model"]["version"] == "2"
    assert control.current == "2"


def test_metrics_come_in_prometheus_format(ask: Ask) -> None:
    """The media type names the text format's version."""
    answer = ask("GET", "/metrics")
    assert answer.text == "# metrics\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
