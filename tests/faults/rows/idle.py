"""Connections that do nothing, or little: idle, slow to send, slow to read, half open, with bodies declared huge."""

import time
from collections.abc import Iterator

import psutil

from tests.daemon import running
from tests.faults.footprint import footprint, growth
from tests.faults.guests import Guests, Kind
from tests.faults.logbook import ending
from tests.faults.probe import REQUEST, Probe
from tests.faults.registered import register
from tests.faults.tally import Scale, Tally

TITLE = "idle, slow and half-open clients"
IDLE = 1_000
OTHERS = 40
CALM_S = 2.0
LOOK_S = 3.0
"""How much later than promised an end may be seen: the server looks in steps, and so does this row."""
HEAD_S, BODY_S, IDLE_S, STALLED_S, PARTING_S = 10.0, 30.0, 30.0, 30.0, 10.0
"""The time-outs that docs/reference/http.md tells of."""
LONGEST_S = 2.0
"""The longest that an honest client may wait meanwhile."""
SLOWER = 3.0
MEMORY_MIB = 48.0
THREADS = 42
"""Allowed growth of threads: files are sent by a pool of at most 40, which start when they are first needed."""
POST = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
ASSET = b"GET /docs-assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

SILENT = Kind("silent", within_s=HEAD_S + LOOK_S)
RESTING = Kind("idle after a request", REQUEST, within_s=IDLE_S + LOOK_S, statuses=(200,))
UNUSUAL = (
    Kind("slow heads", b"GET /livez HTTP/1.1\r\nHost: ", drip=b"x", within_s=HEAD_S + LOOK_S),
    Kind("endless fields", b"GET /livez HTTP/1.1\r\n", drip=b"X: y\r\n", within_s=HEAD_S + LOOK_S),
    Kind(
        "slow bodies",
        POST + b"Content-Length: 100000\r\n\r\n",
        drip=b"x",
        polite=True,
        within_s=BODY_S + LOOK_S,
        statuses=(408,),
    ),
    Kind(
        "slow chunks",
        POST + b"Transfer-Encoding: chunked\r\n\r\n",
        drip=b"1\r\nx\r\n",
        polite=True,
        within_s=BODY_S + LOOK_S,
        statuses=(408,),
    ),
    Kind(
        "huge bodies",
        POST + b"Content-Length: 10000000000\r\n\r\n",
        drip=b"x",
        within_s=PARTING_S + LOOK_S,
        statuses=(413,),
    ),
    Kind("slow readers", ASSET * 8, reads=False, within_s=STALLED_S * 7 / 6 + LOOK_S),
    Kind(
        "watchers that do not read",
        b"GET /v1/results/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        reads=False,
        within_s=None,
    ),
    Kind("vanished before a word", vanishes=True),
    Kind("vanished in a head", b"POST /v1/pre", vanishes=True),
    Kind("vanished in a body", POST + b"Content-Length: 100000\r\n\r\nxxx", vanishes=True),
    Kind("vanished before the answer", REQUEST, vanishes=True),
    Kind("vanished in the answer", ASSET * 8, vanishes=True),
)
"""Who comes beside the idle ones. A watcher of results may stay as long as it likes: what it misses is dropped."""


def run(scale: Scale) -> Tally:
    """Let them all come at once; others are served as before, and everyone is let go in the time that is promised."""
    register(scale.folder, "1")
    with running(scale.folder) as daemon, Probe(daemon.port) as probe:
        time.sleep(CALM_S)
        calm_s = probe.median_s(time.monotonic() - CALM_S, time.monotonic()) or 0.0
        before = footprint(daemon.process.pid)
        with Guests(daemon.port, psutil.Process(daemon.process.pid)) as guests:
            came = list(_kinds(scale))
            began = time.monotonic()
            guests.come(came)
            guests.stay(CALM_S)
            during = footprint(daemon.process.pid)
            guests.stay(max(kind.within_s or 0.0 for kind in came) + LOOK_S)
            busy_s = probe.median_s(began, time.monotonic()) or float("inf")
            problems = list(guests.problems())
            longest = guests.longest()
        more, after = growth(daemon.process.pid, before, memory_mib=MEMORY_MIB, threads=THREADS, files=2)
        problems += [*more, *_neglected(probe, calm_s, busy_s)]
        probe.stop()
        problems += ending(daemon, scale.folder)
    statuses = probe.statuses
    produced = statuses.total()
    tally = Tally(TITLE, len(came), produced, statuses[200], 0, produced - statuses[200])
    noted = Tally(
        **{
            **tally.as_json(),
            "notes": (
                f"let go after at most: {longest}",
                f"others were answered in {busy_s * 1e3:.1f} ms (median; before {calm_s * 1e3:.1f} ms), at the "
                f"longest {probe.longest_s:.2f} s",
                f"before {before}; with all of them {during}; in the end {after}",
            ),
        }
    )
    return noted.with_problems(problems)


def _kinds(scale: Scale) -> Iterator[Kind]:
    """Yield who comes, in a mixed order."""
    idle, others = scale.of(IDLE), scale.of(OTHERS)
    crowd = [SILENT, RESTING] * (idle // 2) + [kind for kind in UNUSUAL for _ in range(others)]
    scale.chance("idle").shuffle(crowd)
    yield from crowd


def _neglected(probe: Probe, calm_s: float, busy_s: float) -> list[str]:
    wrong = [f"others were answered {count} x {status}" for status, count in probe.statuses.items() if status != 200]
    wrong += [f"others waited up to {probe.longest_s:.1f} s"] if probe.longest_s > LONGEST_S else []
    slow = busy_s > max(SLOWER * calm_s, 0.05)
    return (
        [*wrong, f"others were answered in {busy_s * 1e3:.0f} ms, before in {calm_s * 1e3:.0f} ms"] if slow else wrong
    )
