"""The outbox's file is damaged, while the daemon is stopped and while it runs, with results waiting in it.

What is destroyed on the disk nobody can deliver: it must be set aside, counted, and named by a ``dropped`` record, so
that a receiver knows. Whatever can still be read must arrive.
"""

import time
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from tests.faults.tally import Scale, Tally
from tests.faults.testbed import Testbed
from tests.faults.traffic import PICTURE, HttpTraffic, owed
from tests.faults.waiting import comes_true

TITLE = "outbox file damaged"
TIMES = 50
WAITING = 300
"""Results in the file when it is damaged."""
RATE = 1000.0
PRODUCE_S, DRAIN_S = 20.0, 10.0
PAGE, PAGE_ENTRIES, FLIPS = 4096, 10, 20

Damage = Callable[[Path, Random], None]


def _garbage_header(outbox: Path, chance: Random) -> None:
    _overwrite(outbox, 0, chance.randbytes(100))


def _page(outbox: Path, chance: Random) -> None:
    pages = outbox.stat().st_size // PAGE
    _overwrite(outbox, PAGE * chance.randrange(pages // 4, max(pages // 4 + 1, pages)), chance.randbytes(PAGE))


def _bits(outbox: Path, chance: Random) -> None:
    data = bytearray(outbox.read_bytes())
    for _ in range(FLIPS):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    _overwrite(outbox, 0, bytes(data))


def _truncated(outbox: Path, chance: Random) -> None:
    with outbox.open("r+b") as file:
        file.truncate(int(outbox.stat().st_size * chance.uniform(0.1, 0.9)))


def _emptied(outbox: Path, _chance: Random) -> None:
    with outbox.open("r+b") as file:
        file.truncate(0)


def _zeroed(outbox: Path, _chance: Random) -> None:
    _overwrite(outbox, 0, bytes(outbox.stat().st_size))


def _log_deleted(outbox: Path, _chance: Random) -> None:
    outbox.with_name(f"{outbox.name}-wal").unlink(missing_ok=True)


def _log_garbled(outbox: Path, chance: Random) -> None:
    log = outbox.with_name(f"{outbox.name}-wal")
    if log.exists() and log.stat().st_size > 2 * PAGE:
        _overwrite(log, chance.randrange(log.stat().st_size - PAGE), chance.randbytes(PAGE))


def _overwrite(file: Path, at: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(data)


@dataclass(frozen=True, slots=True)
class Case:
    """One way to damage. ``running``: under the running daemon; ``killed``: after a kill and not after a clean stop.

    ``at_most`` is how many results it may destroy, where the others can be read by whoever looks for them.
    """

    damage: Damage
    at_most: int | None = None
    running: bool = False
    killed: bool = False

    @property
    def name(self) -> str:
        """What to call it."""
        return self.damage.__name__.strip("_").replace("_", " ") + (", running" if self.running else "")


CASES = (
    Case(_garbage_header, at_most=0),
    Case(_page, at_most=PAGE_ENTRIES),
    Case(_truncated, killed=True),
    Case(_log_deleted, killed=True),
    Case(_bits, at_most=FLIPS),
    Case(_page, running=True, at_most=PAGE_ENTRIES),
    Case(_log_garbled, killed=True),
    Case(_zeroed),
    Case(_garbage_header, running=True, at_most=0),
    Case(_emptied),
)


def run(scale: Scale) -> Tally:
    """Damage a file in which results wait, again and again, each time in another way."""
    chance, times = scale.chance(TITLE), scale.of(TIMES)
    problems: list[str] = []
    pictures: set[tuple[str, str]] = set()
    worst_s = 0.0
    with Testbed(scale.folder / "bed") as bed:
        bed.start_daemon().until_ready()
        for number in range(times):
            case = CASES[number % len(CASES)]
            waiting, named = _fill(bed, number, problems), bed.ledger().dropped
            worst_s = max(worst_s, _damage(bed, case, chance))
            problems += (f"after {case.name}: {problem}" for problem in _lasting(bed, case, waiting, named))
            pictures |= waiting
        tally = bed.account(TITLE, times, pictures)
        named, aside = bed.ledger().dropped, len(list(bed.storage.glob("outbox.db*damaged*")))
    destroyed = min(tally.lost, named)
    notes = (
        f"{destroyed} of {tally.produced} results were destroyed on the disk and counted; records name their numbers; "
        f"{aside} damaged files were set aside",
    )
    recovery_s = round(worst_s, 2)
    found = replace(tally, lost=tally.lost - destroyed, destroyed=destroyed, recovery_s=recovery_s, notes=notes)
    return found.with_problems(problems)


def _fill(bed: Testbed, number: int, problems: list[str]) -> frozenset[tuple[str, str]]:
    """Let results wait in the outbox; return their pictures."""
    bed.proxy.refuse()
    http = HttpTraffic(bed.http_port, RATE, first=number * 100_000)
    with http:
        if not comes_true(lambda: http.answers.get(200, 0) >= WAITING, within_s=PRODUCE_S):
            problems.append(f"HTTP answered {http.answers} within {PRODUCE_S} s")
    if set(http.answers) != {200}:
        problems.append(f"HTTP answered {http.answers}")
    return owed(http)


def _damage(bed: Testbed, case: Case, chance: Random) -> float:
    """Damage the file, let the broker back; return how long it took until a result arrived."""
    outbox = bed.storage / "outbox.db"
    if case.running:
        case.damage(outbox, chance)
    else:
        bed.kill_daemon() if case.killed else bed.stop_daemon()
        case.damage(outbox, chance)
    bed.proxy.mend()
    began = time.monotonic()
    if not case.running:
        bed.start_daemon().until_ready()
    bed.daemon.predict(PICTURE)
    return bed.first_result_s(began)


def _lasting(bed: Testbed, case: Case, waiting: Set[tuple[str, str]], named: int) -> Iterator[str]:
    """Tell what the damage still does after the daemon has had its time: what can be read must have arrived.

    ``named`` is how many numbers records had named before.
    """
    yield from bed.undrained(within_s=DRAIN_S)
    ledger = bed.ledger()
    missing = len(ledger.missing(waiting))
    if missing > ledger.dropped - named:
        yield f"{missing} results never arrived, and records name {ledger.dropped - named} numbers"
    if case.at_most is not None and missing > case.at_most:
        yield f"{missing} results never arrived, and only {case.at_most} could not be read"
    status = bed.status()
    if not status["ready"]:
        yield f"not ready, {status['problems']}"
