"""The daemon is SIGKILLed at random moments: starting, accepting, inferring, storing, publishing, swapping models."""

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from random import Random

from edge.bundle import open_bundle
from edge.errors import EdgeError
from tests.fakes import GraphOptions
from tests.faults.tally import Scale, Tally
from tests.faults.testbed import ROOT, Testbed
from tests.faults.traffic import FolderTraffic, HttpTraffic, MqttTraffic, owed

TITLE = "daemon SIGKILLed"
TIMES = 200
WHILE_STARTING, WHILE_SWAPPING = 0.15, 0.35
"""Shares of the kills."""
START_S, WORK_S, SWAP_S = 0.8, 0.5, 0.5
"""Longest from the start, from readiness, from a new version's arrival until the kill."""
KEPT_VERSIONS = 3
SLOW = GraphOptions(slowness=5)
"""A model of some milliseconds, so that kills meet it at work."""


def run(scale: Scale) -> Tally:
    """Kill, start again, kill again; in the end everything that was owed must have arrived."""
    chance, times = scale.chance(TITLE), scale.of(TIMES)
    with Testbed(scale.folder / "bed", graph=SLOW) as bed:
        life = _Lives(bed, chance)
        http, more = HttpTraffic(bed.http_port, rate=40), HttpTraffic(bed.http_port, rate=40, sender="b")
        folder = FolderTraffic(bed.inbox, rate=20)
        camera = MqttTraffic(bed.broker.port, ROOT, rate=20)
        bed.start_daemon().until_ready()
        with http, more, folder, camera:
            for _ in range(times):
                life.end()
        pictures = owed(http, more, folder, camera)
        # the broker's own repetitions of a picture carry nothing that a new process could know them by
        tally = bed.account(TITLE, times, pictures, answered_again={camera.source})
        again = bed.ledger().answered_again({camera.source})
        code = bed.stop_daemon()
    notes = (
        f"{life.versions} versions came in; recovery counts from the start of the new process",
        f"{again} pictures that the broker sent again to a new process have results under two ids, one correlation_id",
    )
    counted = replace(tally, recovery_s=round(life.worst_s, 2), notes=notes)
    return counted.with_problems([*_unclean(code), *_torn(bed.storage)])


class _Lives:
    """Ends the daemon's lives, one after the other, each at a moment of its own, and begins the next."""

    def __init__(self, bed: Testbed, chance: Random) -> None:
        self._bed = bed
        self._chance = chance
        self.versions = 1
        self.worst_s = 0.0

    def end(self) -> None:
        """Kill once, begin a new life and wait for its first delivered result."""
        self._live()
        self._bed.kill_daemon()
        while self._chance.random() < WHILE_STARTING:
            self._bed.start_daemon()
            time.sleep(self._chance.uniform(0, START_S))
            self._bed.kill_daemon()
        began = time.monotonic()
        self._bed.start_daemon().until_ready()
        self.worst_s = max(self.worst_s, self._bed.first_result_s(began))

    def _live(self) -> None:
        """Let it work for a while, with a new version coming in or without."""
        if self._chance.random() < WHILE_SWAPPING:
            self.versions += 1
            self._bed.register(str(self.versions))
            shutil.rmtree(self._bed.registry / "colours" / str(self.versions - KEPT_VERSIONS), ignore_errors=True)
            time.sleep(self._chance.uniform(0, SWAP_S))
        else:
            time.sleep(self._chance.uniform(0, WORK_S))


def _unclean(code: int) -> Iterator[str]:
    if code != 0:
        yield f"the last life's clean stop ended with exit code {code}"


def _torn(storage: Path) -> Iterator[str]:
    """Tell what is not whole in what the daemon left on the disk."""
    for manifest in storage.rglob("manifest.json"):
        try:
            open_bundle(manifest.parent)
        except EdgeError as exc:
            yield f"the store holds a broken bundle: {exc}"
    outbox = storage / "outbox.db"
    if not outbox.exists():
        yield "the store holds no outbox.db"
        return
    with closing(sqlite3.connect(outbox)) as connection:
        (found,) = connection.execute("PRAGMA integrity_check").fetchone()
    if found != "ok":
        yield f"the outbox is damaged: {found}"
