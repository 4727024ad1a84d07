"""Metrics as Prometheus reads them."""

import re
import threading
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from edge.metrics import MAX_SOURCES, Metrics, OutboxFigures, Snapshot
from edge.results import Classification, Failure, ModelRef, Outcome, Prediction, Result, Timing

MODEL = ModelRef("metal", "3")
GOOD = Classification("a", 0.9, ("a", "b"), (0.9, 0.1))


def result(source: str = "camera", prediction: Prediction = GOOD) -> Result:
    timing = Timing(queue_ms=1, preprocess_ms=2, inference_ms=6, postprocess_ms=1)
    outcome = Outcome(prediction, MODEL, "CPUExecutionProvider", timing)
    return Result("01K", 1, "press-1", source, datetime(2026, 1, 31, tzinfo=UTC), outcome)


def samples(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return every sample of a scrape by name and labels."""
    families = text_string_to_metric_families(metrics.render().decode())
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return samples(metrics).get((f"automl_edge_{name}", frozenset(labels.items())))


def test_results_are_counted_by_source_model_and_outcome() -> None:
    """How many, and how many failed of what."""
    metrics = Metrics(snapshot=Snapshot)
    for one in (result(), result(), result(prediction=Failure("ImageDecodeError", "x"))):
        metrics.observe(one)
    labels = {"source": "camera", "model": "metal", "version": "3"}
    assert value(metrics, "results_total", outcome="ok", **labels) == 2
    assert value(metrics, "results_total", outcome="ImageDecodeError", **labels) == 1


def test_stages_are_timed_in_seconds() -> None:
    """How late: sums and buckets by stage; a failed picture, which ends early, is not mixed in."""
    metrics = Metrics(snapshot=Snapshot)
    metrics.observe(result())
    metrics.observe(result(prediction=Failure("ImageDecodeError", "x")))
    assert value(metrics, "stage_seconds_sum", stage="inference") == 0.006
    assert value(metrics, "stage_seconds_sum", stage="total") == 0.01
    assert value(metrics, "stage_seconds_count", stage="total") == 1
    assert value(metrics, "stage_seconds_bucket", stage="inference", le="0.005") == 0
    assert value(metrics, "stage_seconds_bucket", stage="inference", le="0.01") == 1


def test_requests_are_timed_by_route_and_status() -> None:
    """How late the HTTP face answers."""
    metrics = Metrics(snapshot=Snapshot)
    metrics.observe_request("POST", "/v1/predict", 200, 0.004)
    labels = {"method": "POST", "route": "/v1/predict", "status": "200"}
    assert value(metrics, "http_request_seconds_count", **labels) == 1


def test_the_snapshot_is_looked_up_at_each_scrape() -> None:
    """How full, which provider, which model, which sources, whether the broker is there."""
    now = [Snapshot()]
    metrics = Metrics(snapshot=lambda: now[0], version="1.2.3")
    assert value(metrics, "ready") == 0
    assert value(metrics, "broker_connected") is None
    now[0] = Snapshot(
        ready=True,
        model=MODEL,
        provider="CPUExecutionProvider",
        queue_depth=3,
        queue_capacity=64,
        outbox=OutboxFigures(depth=7, bytes=4096, oldest_s=1.5, dropped=2, damaged=1, writable=False),
        broker_connected=True,
        sources={"camera": "running", "inbox": "failed"},
    )
    assert value(metrics, "ready") == 1
    assert value(metrics, "queue_depth") == 3
    assert value(metrics, "queue_capacity") == 64
    outbox = ("depth", "bytes", "oldest_seconds", "dropped_total", "damaged_total", "writable")
    assert [value(metrics, f"outbox_{name}") for name in outbox] == [7, 4096, 1.5, 2, 1, 0]
    assert value(metrics, "broker_connected") == 1
    assert value(metrics, "source_state", source="inbox", state="failed") == 1
    assert value(metrics, "build_info", version="1.2.3") == 1
    labels = {"model": "metal", "version": "3", "proven": "true", "provider": "CPUExecutionProvider"}
    assert value(metrics, "model_info", **labels) == 1


def test_swaps_and_refusals_are_counted() -> None:
    """Both series are there from the start, so that an alert can be written on them."""
    metrics = Metrics(snapshot=Snapshot)
    assert value(metrics, "model_swaps_total", outcome="refused") == 0
    metrics.swapped()
    metrics.refused()
    metrics.refused()
    assert value(metrics, "model_swaps_total", outcome="accepted") == 1
    assert value(metrics, "model_swaps_total", outcome="refused") == 2


def test_frames_of_a_trial_are_counted() -> None:
    """How many frames a version on trial agreed on, and how many it was spared; all series are there from the start."""
    metrics = Metrics(snapshot=Snapshot)
    for outcome in ("agreed", "agreed", "skipped"):
        metrics.shadowed(outcome)
    found = {o: value(metrics, "shadow_frames_total", outcome=o) for o in ("agreed", "disagreed", "failed", "skipped")}
    assert found == {"agreed": 2, "disagreed": 0, "failed": 0, "skipped": 1}


def test_senders_cannot_grow_the_metrics() -> None:
    """MQTT senders choose source names; from a bound on they are counted together."""
    metrics = Metrics(snapshot=Snapshot)
    for number in range(MAX_SOURCES + 10):
        metrics.observe(result(source=f"sender-{number}"))
    labels = {"model": "metal", "version": "3", "outcome": "ok"}
    assert value(metrics, "results_total", source="other", **labels) == 10
    assert value(metrics, "results_total", source="sender-0", **labels) == 1


def test_the_process_is_measured() -> None:
    """Memory and CPU time, without another exporter."""
    names = {name for name, _ in samples(Metrics(snapshot=Snapshot))}
    assert {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"} <= names


def test_two_instances_do_not_share_anything() -> None:
    """Nothing lies in prometheus_client's own registry."""
    before = {family.name for family in REGISTRY.collect()}
    first, second = Metrics(snapshot=Snapshot), Metrics(snapshot=Snapshot)
    first.swapped()
    assert value(second, "model_swaps_total", outcome="accepted") == 0
    assert {family.name for family in REGISTRY.collect()} == before


def test_many_threads_lose_no_count() -> None:
    """Observers are called from the threads that compute."""
    metrics = Metrics(snapshot=Snapshot)

    def many() -> None:
        for _ in range(500):
            metrics.observe(result())

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(metrics, "results_total", source="camera", model="metal", version="3", outcome="ok") == 2000


def test_the_reference_names_every_metric() -> None:
    """A metric that is not in docs/reference/metrics.md, or that is only there, fails here."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    told = set(re.findall(r"`(automl_edge_[a-z_]+)`", page))
    now = Snapshot(model=MODEL, outbox=OutboxFigures(), broker_connected=True, sources={"camera": "running"})
    metrics = Metrics(snapshot=lambda: now)
    metrics.observe(result())
    metrics.observe_request("GET", "/livez", 200, 0.001)
    names = {re.sub(r"_(bucket|sum|count)$", "", name) for name, _ in samples(metrics) if not name.endswith("_created")}
    assert told == {name for name in names if name.startswith("automl_edge_")}
