"""The wall clock jumps, forwards and back, with the broker there or away; the time zone changes over restarts.

Jumps are made by libfaketime (``apt-get install libfaketime``) for the daemon alone; its monotonic clock runs on, as it
does when a time server corrects a device.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from tests.faults.ledger import Ledger
from tests.faults.tally import Scale, Tally, skipped
from tests.faults.testbed import ROOT, Testbed
from tests.faults.traffic import FolderTraffic, HttpTraffic, MqttTraffic, owed
from tests.mosquitto import until

TITLE = "clock jumps"
ZONES_TITLE = "time zone changes"
JUMPS, CHANGES = 80, 20
DAY_S = 86_400
OFFSETS_S = (3_600, -3_600, -2 * DAY_S, 30 * DAY_S, -20 * 365 * DAY_S, 20 * 365 * DAY_S, 0.5, -0.5, 0)
"""Hours, as by a wrong zone; days; decades, as of a device that has no clock until its time server answers."""
ZONES = ("UTC", "Pacific/Kiritimati", "America/St_Johns", "Asia/Kathmandu", "Pacific/Pago_Pago", "Mars/Olympus_Mons")
CALM_S = 0.15


def run(scale: Scale) -> Sequence[Tally]:
    """Let the clock jump in mid traffic, then change the zone from life to life."""
    return [_jumps(scale), _zones(scale)]


def _jumps(scale: Scale) -> Tally:
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None:
        return skipped(TITLE, "libfaketime is not installed (apt-get install libfaketime)")
    chance, times = scale.chance(TITLE), scale.of(JUMPS)
    offset = scale.folder / "offset"
    _jump(offset, 0)
    with Testbed(scale.folder / "jumps", environment=_faked(library, offset)) as bed:
        http, folder = HttpTraffic(bed.http_port, rate=60), FolderTraffic(bed.inbox, rate=20)
        camera = MqttTraffic(bed.broker.port, ROOT, rate=20)
        bed.start_daemon().until_ready()
        until(lambda: bed.status()["mqtt"]["connected"], what="the broker's acceptance")
        with http, folder, camera:
            for number in range(times):
                if number % 3 == 1:
                    bed.proxy.refuse()
                time.sleep(CALM_S * (1 + chance.random()))
                _jump(offset, chance.choice(OFFSETS_S))
                time.sleep(CALM_S * (1 + chance.random()))
                bed.proxy.mend()
        tally = bed.account(TITLE, times, owed(http, folder, camera))
        ledger, seen = bed.ledger(), _captured(bed)
    answers = [] if set(http.answers) == {200} else [f"HTTP answered {http.answers}"]
    still = [] if max(seen) - min(seen) > timedelta(days=1) else ["the daemon's clock never jumped"]
    return tally.with_problems([*answers, *still, *_falling(ledger)])


def _faked(library: Path, offset: Path) -> Mapping[str, str]:
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def _jump(offset: Path, seconds: float) -> None:
    """Put the clock this far from the truth, at one stroke."""
    fresh = offset.with_name("offset.new")
    fresh.write_text(f"{seconds:+f}\n")
    fresh.replace(offset)


def _falling(ledger: Ledger) -> Iterator[str]:
    """Tell where ids fall although numbers rise; those of files are made of the file's own time."""
    fresh = {one.seq: one.id for one in ledger.results if one.source != "inbox"}
    falls = sum(b <= a for a, b in pairwise(fresh[seq] for seq in sorted(fresh)))
    if falls:
        yield f"ids fell {falls} times where numbers rose"


def _zones(scale: Scale) -> Tally:
    chance, times, worst_s = scale.chance(ZONES_TITLE), scale.of(CHANGES), 0.0
    with Testbed(scale.folder / "zones") as bed:
        http, folder = HttpTraffic(bed.http_port, rate=60), FolderTraffic(bed.inbox, rate=20)
        began = datetime.now(UTC)
        with http, folder:
            for _ in range(times):
                started = time.monotonic()
                bed.start_daemon(TZ=chance.choice(ZONES)).until_ready()
                worst_s = max(worst_s, bed.first_result_s(started))
                bed.stop_daemon()
            bed.start_daemon(TZ=ZONES[0]).until_ready()
        tally = bed.account(ZONES_TITLE, times, owed(http, folder))
        wrong = _far_from_utc(bed, began)
    return replace(tally, recovery_s=round(worst_s, 2)).with_problems(wrong)


def _captured(bed: Testbed) -> Sequence[datetime]:
    return [datetime.fromisoformat(result["captured_at"]) for result in bed.witness.json("/result")]


def _far_from_utc(bed: Testbed, began: datetime) -> Iterator[str]:
    """Tell of results whose time of capture is not the time at which they were taken."""
    slack = timedelta(seconds=1)  # files carry the time of the system's last tick
    wrong = [at for at in _captured(bed) if at.tzinfo is None or not began - slack <= at <= datetime.now(UTC) + slack]
    if wrong:
        yield f"{len(wrong)} times of capture are not in UTC: {wrong[0].isoformat()}, …"
