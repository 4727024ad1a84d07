"""The disk below the store and the outbox is full, or turns read-only as a dying one does."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tests.faults.tally import Scale, Tally, skipped
from tests.faults.testbed import ROOT, Testbed
from tests.faults.traffic import FolderTraffic, HttpTraffic, MqttTraffic, owed
from tests.faults.volumes import (
    NoVolumeError,
    disk_volume,
    fill,
    memory_volume,
    mount_again,
    relieve,
    settle,
    turn_read_only,
)
from tests.faults.waiting import comes_true
from tests.mosquitto import until

TITLE = "full and read-only disks"
FULL_TITLE, AWAY_TITLE, READ_ONLY_TITLE = "disk full", "disk full, broker away", "disk turns read-only"
TIMES = 10
LASTING_S = 1.2
CALM_S = 0.4
VOLUME_MB = 24
RENUMBERED = ("numbers went to several ids", "out of their order")
TOLD_S = 5.0
"""How soon the state must tell of a disk that refuses, or no longer does."""


def run(scale: Scale) -> Sequence[Tally]:
    """Fill the disk again and again with the broker there and away; then let the disk fail, life by life."""
    rows: Sequence[tuple[str, Callable[[str, Scale], Tally]]] = (
        (FULL_TITLE, lambda title, scale: _full(title, scale, away=False)),
        (AWAY_TITLE, lambda title, scale: _full(title, scale, away=True)),
        (READ_ONLY_TITLE, _read_only),
    )
    return [_where_possible(title, make, scale) for title, make in rows]


def _where_possible(title: str, make: Callable[[str, Scale], Tally], scale: Scale) -> Tally:
    try:
        return make(title, scale)
    except NoVolumeError as exc:
        return skipped(title, str(exc))


def _full(title: str, scale: Scale, *, away: bool) -> Tally:
    folder, times, worst_s = scale.folder / title.replace(" ", "-"), scale.of(TIMES), 0.0
    told, problems = 0, list[str]()
    with memory_volume(folder / "volume", VOLUME_MB) as volume, Testbed(folder / "bed", storage=volume / "var") as bed:
        http, sources = HttpTraffic(bed.http_port, rate=60), _sources(bed)
        _ready(bed)
        with http, sources[0], sources[1]:
            for _ in range(times):
                time.sleep(CALM_S)
                if away:
                    bed.proxy.refuse()
                fill(volume)
                time.sleep(LASTING_S)
                told += _says(bed, "full")
                relieve(volume)
                back = time.monotonic()
                bed.proxy.mend()
                worst_s = max(worst_s, bed.first_result_s(back))
                problems += _calm_again(bed)
        tally = bed.account(title, times, owed(http, *sources))
    # what leaves the file makes room in it for what comes: it need not be refused anything
    note = f"the state told of it {told} times; otherwise the outbox's file had room in itself"
    found = replace(tally, recovery_s=round(worst_s, 2), notes=(note,))
    untold = ["/v1/status never said that the disk is full"] if away and not told else []
    return found.with_problems([*_answers(http), *untold, *problems])


def _read_only(title: str, scale: Scale) -> Tally:
    """The broker stays: what the disk does not take is delivered from memory before the disk is replaced."""
    folder, times, worst_s = scale.folder / title.replace(" ", "-"), scale.of(TIMES), 0.0
    problems: list[str] = []
    with disk_volume(folder / "volume", VOLUME_MB) as volume, Testbed(folder / "bed", storage=volume / "var") as bed:
        pictures: set[tuple[str, str]] = set()
        for life in range(times):
            began = time.monotonic()
            _ready(bed)
            http = HttpTraffic(bed.http_port, rate=60, first=life * 100_000)
            with http:
                worst_s = max(worst_s, bed.first_result_s(began))
                time.sleep(CALM_S)
                settle(volume)
                turn_read_only(volume)
                problems += _told(bed, "read-only")
                time.sleep(LASTING_S)
            pictures |= owed(http)
            problems += _answers(http)
            problems += bed.undrained()
            bed.stop_daemon()
            mount_again(volume)
        _ready(bed)
        tally = bed.account(title, times, pictures)
    # what the disk did not take is known to no later process: its numbers are given again, to other ids
    renumbered = tuple(problem for problem in tally.problems if any(word in problem for word in RENUMBERED))
    kept = [problem for problem in tally.problems if problem not in renumbered]
    notes = ("recovery counts from the start on the replaced disk", *renumbered)
    return replace(tally, recovery_s=round(worst_s, 2), notes=notes, problems=(*kept, *problems))


def _ready(bed: Testbed) -> None:
    bed.start_daemon().until_ready()
    until(lambda: bed.status()["mqtt"]["connected"], what="the broker's acceptance")


def _sources(bed: Testbed) -> tuple[FolderTraffic, MqttTraffic]:
    return FolderTraffic(bed.inbox, rate=20), MqttTraffic(bed.broker.port, ROOT, rate=20)


def _answers(http: HttpTraffic) -> Iterator[str]:
    if set(http.answers) != {200}:
        yield f"HTTP answered {http.answers}"


def _warned(bed: Testbed) -> list[str]:
    return [warning for warning in bed.status()["warnings"] if "outbox" in warning]


def _told(bed: Testbed, word: str) -> Iterator[str]:
    """Tell where the status does not name the outbox and what is wrong with its disk."""
    if not comes_true(lambda: _says(bed, word), within_s=TOLD_S):
        yield f"/v1/status does not say within {TOLD_S} s that the disk is {word}: {_warned(bed)}"


def _says(bed: Testbed, word: str) -> bool:
    return any(word in warning for warning in _warned(bed))


def _calm_again(bed: Testbed) -> Iterator[str]:
    if not comes_true(lambda: not _warned(bed), within_s=TOLD_S):
        yield f"/v1/status still warns {TOLD_S} s after there is room again: {_warned(bed)}"
