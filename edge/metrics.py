"""Metrics for Prometheus: how many, how late, how full, which provider, which model.

One registry an instance, none at module level. Counting a result costs a few microseconds; what can be looked up is
looked up when Prometheus asks.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from edge.results import Failure, ModelRef, Result, Timing

PREFIX = "automl_edge"
STAGES = ("queue", "preprocess", "inference", "postprocess", "total")
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MAX_SOURCES = 64
OTHER = "other"
OK = "ok"
SHADOW_OUTCOMES = ("agreed", "disagreed", "failed", "skipped")
EXPLANATION_OUTCOMES = ("ok", "refused", "late", "failed", "gone")


@dataclass(frozen=True, slots=True)
class OutboxFigures:
    """Results that wait for the broker, their bytes, the age of the oldest; how many were let go or were damaged."""

    depth: int = 0
    bytes: int = 0
    oldest_s: float = 0.0
    dropped: int = 0
    damaged: int = 0
    writable: bool = True


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is looked up at each scrape.

    ``sources`` gives each source's state as a word (running, waiting, failed, …). ``broker_connected`` and
    ``outbox`` are None without a broker.
    """

    ready: bool = False
    model: ModelRef | None = None
    provider: str | None = None
    queue_depth: int = 0
    queue_capacity: int = 0
    outbox: OutboxFigures | None = None
    broker_connected: bool | None = None
    sources: Mapping[str, str] = field(default_factory=dict)


class Metrics:
    """Counts results and requests, and renders all metrics.

    ``snapshot`` is called at each scrape, in the scraping thread; it must be quick. All methods may be called from any
    thread.
    """

    def __init__(self, *, snapshot: Callable[[], Snapshot], version: str = "") -> None:
        self._registry = CollectorRegistry()
        self._sources: set[str] = set()
        self._results = Counter(
            f"{PREFIX}_results",
            "Delivered results; outcome is ok or the kind of the error.",
            ("source", "model", "version", "outcome"),
            registry=self._registry,
        )
        stages = Histogram(
            f"{PREFIX}_stage_seconds",
            "Time of a picture by stage.",
            ("stage",),
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        self._stages = tuple(stages.labels(stage) for stage in STAGES)
        self._requests = Histogram(
            f"{PREFIX}_http_request_seconds",
            "Time until the answer to an HTTP request began.",
            ("method", "route", "status"),
            buckets=BUCKETS_S,
            registry=self._registry,
        )
        swaps = Counter(
            f"{PREFIX}_model_swaps", "Versions that were swapped in or refused.", ("outcome",), registry=self._registry
        )
        self._accepted, self._refused = swaps.labels("accepted"), swaps.labels("refused")
        shadow = Counter(
            f"{PREFIX}_shadow_frames",
            "Live frames that a version on trial was to answer too.",
            ("outcome",),
            registry=self._registry,
        )
        self._shadow = {outcome: shadow.labels(outcome) for outcome in SHADOW_OUTCOMES}
        explanations = Counter(
            f"{PREFIX}_explanations",
            "Requests for explanations of answers.",
            ("outcome",),
            registry=self._registry,
        )
        self._explanations = {outcome: explanations.labels(outcome) for outcome in EXPLANATION_OUTCOMES}
        self._registry.register(_Looked(snapshot, version))
        ProcessCollector(registry=self._registry)

    def observe(self, result: Result) -> None:
        """Count one delivered result (an Observer)."""
        outcome = result.outcome
        kind = outcome.prediction.kind if isinstance(outcome.prediction, Failure) else OK
        self._results.labels(self._source(result.source), outcome.model.name, outcome.model.version, kind).inc()
        if kind == OK:
            self._time(outcome.timing)

    def _time(self, timing: Timing) -> None:
        spans_ms = (timing.queue_ms, timing.preprocess_ms, timing.inference_ms, timing.postprocess_ms, timing.total_ms)
        for histogram, span_ms in zip(self._stages, spans_ms, strict=True):
            histogram.observe(span_ms / 1000)

    def _source(self, name: str) -> str:
        """Return the label for a source; senders choose names, so that only the first 64 get their own."""
        if name not in self._sources:
            if len(self._sources) >= MAX_SOURCES:
                return OTHER
            self._sources.add(name)
        return name

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one HTTP request by its route's template."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def swapped(self) -> None:
        """Count a version that was swapped in."""
        self._accepted.inc()

    def refused(self) -> None:
        """Count a version that was refused."""
        self._refused.inc()

    def shadowed(self, outcome: str) -> None:
        """Count a frame that a version on trial was to answer too; ``outcome`` is one of ``SHADOW_OUTCOMES``."""
        self._shadow[outcome].inc()

    def explained(self, outcome: str) -> None:
        """Count a request for explanations; ``outcome`` is one of ``EXPLANATION_OUTCOMES``."""
        self._explanations[outcome].inc()

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format, version 0.0.4."""
        return generate_latest(self._registry)


class _Looked(Collector):
    """Turns a snapshot into gauges."""

    def __init__(self, snapshot: Callable[[], Snapshot], version: str) -> None:
        self._snapshot = snapshot
        self._version = version

    def describe(self) -> list[Metric]:
        """Describe nothing, so that registering looks nothing up."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges of this moment."""
        now = self._snapshot()
        yield InfoMetricFamily(f"{PREFIX}_build", "This release.", {"version": self._version})
        yield from _plain(now)
        if now.outbox is not None:
            yield from _outbox(now.outbox)
        yield _model(now)
        yield _sources(now)


def _plain(now: Snapshot) -> Iterator[Metric]:
    yield _gauge("ready", "1 when a proven model answers.", now.ready)
    yield _gauge("queue_depth", "Pictures that wait for their work to begin.", now.queue_depth)
    yield _gauge("queue_capacity", "Pictures that may wait.", now.queue_capacity)
    yield _gauge("outbox_depth", "Results that wait for the broker.", now.outbox.depth if now.outbox else 0)
    if now.broker_connected is not None:
        yield _gauge("broker_connected", "1 when the MQTT broker is connected.", now.broker_connected)


def _outbox(outbox: OutboxFigures) -> Iterator[Metric]:
    yield _gauge("outbox_bytes", "Bytes of the results that wait for the broker.", outbox.bytes)
    yield _gauge("outbox_oldest_seconds", "Age of the oldest result that waits for the broker.", outbox.oldest_s)
    yield _gauge("outbox_writable", "1 when the outbox's store takes results.", outbox.writable)
    dropped, damaged = "Results that a limit of the outbox let go.", "Results of the outbox that could not be read."
    yield CounterMetricFamily(f"{PREFIX}_outbox_dropped", dropped, value=outbox.dropped)
    yield CounterMetricFamily(f"{PREFIX}_outbox_damaged", damaged, value=outbox.damaged)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value=float(value))


def _model(now: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        f"{PREFIX}_model_info",
        "The model that answers and the execution provider that runs it.",
        labels=("model", "version", "proven", "provider"),
    )
    if now.model is not None:
        proven = "true" if now.model.proven else "false"
        family.add_metric((now.model.name, now.model.version, proven, now.provider or ""), 1)
    return family


def _sources(now: Snapshot) -> Metric:
    family = GaugeMetricFamily(
        f"{PREFIX}_source_state", "1 for the state that a source is in.", labels=("source", "state")
    )
    for name, state in now.sources.items():
        family.add_metric((name, state), 1)
    return family
