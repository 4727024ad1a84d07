"""What a new version costs those who are being answered: latencies under full load, without swaps and with one after
the other, in turns, in one run.
"""

import http.client
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from bench.load import HOST, Load, drive, request
from bench.pictures import VGA, jpegs
from bench.processes import Server, daemon, newest_bundle
from bench.report import Figure, Report
from edge.bundle import MANIFEST, Bundle, write_manifest

CLIENTS = 8
ROUNDS = 16
SECONDS = 2.0
POLL_S = 0.2
"""How often the daemon looks for a version, and the benchmark whether it serves."""
PICTURES = 16
NAME = "swapped"


class Publisher:
    """Puts versions into a registry, each as soon as the one before serves: always the same model, newer each time."""

    def __init__(self, bundle: Bundle, registry: Path, port: int) -> None:
        self._bundle = bundle
        self._registry = registry
        self._port = port
        self._version = 1
        self.swaps = 0

    def publish(self) -> None:
        """Put the next version into the registry, in one step."""
        self._version += 1
        place(self._bundle, self._registry, self._version)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Publish one version after the other."""
        over = threading.Event()
        thread = threading.Thread(target=self._publish_until, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _publish_until(self, over: threading.Event) -> None:
        while not over.is_set():
            self.publish()
            while not self._serves():
                time.sleep(POLL_S / 2)
            self.swaps += 1

    def _serves(self) -> bool:
        link = http.client.HTTPConnection(HOST, self._port, timeout=10)
        try:
            link.request("GET", "/v1/status")
            model: Mapping[str, Any] = json.loads(link.getresponse().read())["model"]
        finally:
            link.close()
        return bool(model["version"] == str(self._version))


def place(bundle: Bundle, registry: Path, version: int) -> None:
    """Register ``bundle`` as a version of a model of our own; its files are linked, only the manifest is new."""
    manifest = bundle.manifest.model_copy(
        update={
            "name": NAME,
            "version": str(version),
            "created_at": bundle.manifest.created_at + timedelta(seconds=version),
        }
    )
    folder = registry / f".{version}"
    shutil.copytree(bundle.folder, folder, copy_function=os.link, ignore=shutil.ignore_patterns(MANIFEST, ".*"))
    write_manifest(folder, manifest)
    (registry / NAME).mkdir(exist_ok=True)
    folder.rename(registry / NAME / str(version))


def run(registry: Path) -> Report:
    """Measure p99 of 8 clients without and with swaps."""
    pictures = jpegs(VGA, PICTURES)
    bundle = newest_bundle(registry)
    with tempfile.TemporaryDirectory(dir=registry.parent, prefix=".bench-") as folder:
        ours = Path(folder)
        place(bundle, ours, 1)
        with daemon(ours, pictures[0], EDGE_REGISTRY__POLL_S=str(POLL_S)) as server:
            publisher = Publisher(bundle, ours, server.port)
            rounds = [_round(server, publisher, pictures) for _ in range(ROUNDS)]
    return _report(str(bundle), rounds, publisher.swaps)


def _round(server: Server, publisher: Publisher, pictures: Sequence[bytes]) -> tuple[Load, Load]:
    before = _load(server, pictures)
    with publisher.publishing():
        during = _load(server, pictures)
    return before, during


def _load(server: Server, pictures: Sequence[bytes]) -> Load:
    requests = [request(server.path, picture) for picture in pictures]
    return drive(server.port, requests, clients=CLIENTS, seconds=SECONDS)


def _report(model: str, rounds: Sequence[tuple[Load, Load]], swaps: int) -> Report:
    before, during = (_together(loads) for loads in zip(*rounds, strict=True))
    figures = [
        Figure("p99 during swaps / before, 8 clients", during.quantile_ms(0.99) / before.quantile_ms(0.99), "", 1.5),
        Figure("failed requests", sum(load.failed + load.broken for load in (before, during)), "", 0),
        Figure("swaps under load", swaps),
    ]
    details = {"model": model, "before": _told(before), "during": _told(during)}
    return Report("swap", figures, details | {"rounds": [[_told(load) for load in pair] for pair in rounds]})


def _together(loads: Sequence[Load]) -> Load:
    """Return what came back in all rounds, as one."""
    return Load(
        seconds=sum(load.seconds for load in loads),
        latencies_ms=sorted(ms for load in loads for ms in load.latencies_ms),
        failed=sum(load.failed for load in loads),
        total=sum(load.total for load in loads),
        good=sum(load.good for load in loads),
        broken=sum(load.broken for load in loads),
    )


def _told(load: Load) -> dict[str, Any]:
    quantiles = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99, "max_ms": 1.0}
    told = {name: round(load.quantile_ms(share), 2) for name, share in quantiles.items()}
    return {**told, "per_s": round(load.per_s, 1), "failed": load.failed}
