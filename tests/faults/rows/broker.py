"""The broker dies, hangs, refuses, forgets; the network is cut. Each in mid traffic, again and again."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from tests.faults.tally import Scale, Tally
from tests.faults.testbed import ROOT, Testbed
from tests.faults.traffic import FolderTraffic, HttpTraffic, MqttTraffic, owed
from tests.mosquitto import until

TITLE = "broker and network"
TIMES = 20
RECOVERY_S = 3.0
"""The promise: this long after the broker is back, at most, results arrive again."""
CALM_S = 0.4
RELOAD_S = 0.1
"""A broker that does not survive reading its files again is gone by then."""
LONG_S, LONG_EVERY = 20.0, 10
"""Each so many faults, one lasts long enough for all patience to run out."""

USERS = {"daemon": ("edge", "right"), "witness": ("witness", "seen"), "sender": ("sender", "sent")}


@dataclass(frozen=True, slots=True)
class Fault:
    """``hurt`` makes it, ``heal`` ends it and returns once the broker can be reached again."""

    name: str
    hurt: Callable[[Testbed], None]
    heal: Callable[[Testbed], object]
    longest_s: float = 1.5
    protocol: str = "3.1.1"


def _lock_out(bed: Testbed) -> None:
    bed.broker.change_password("edge", "another")
    bed.proxy.cut()


def _start_without_state(bed: Testbed) -> None:
    for state in bed.broker.folder.glob("mosquitto.db*"):
        state.unlink()
    bed.broker.start()


def _let_in(bed: Testbed) -> None:
    bed.broker.change_password("edge", "right")
    time.sleep(RELOAD_S)
    bed.broker.revive()


FAULTS = (
    Fault("broker SIGKILLed", lambda bed: bed.broker.kill(), lambda bed: bed.broker.start()),
    # longer than the keepalive sometimes, so that the daemon gives the connection up
    Fault("broker frozen", lambda bed: bed.broker.freeze(), lambda bed: bed.broker.thaw(), longest_s=5.0),
    Fault("broker refusing", _lock_out, _let_in, protocol="5"),
    Fault("broker restarted without its state", lambda bed: bed.broker.kill(), _start_without_state, protocol="5"),
    Fault("network cut", lambda bed: bed.proxy.refuse(), lambda bed: bed.proxy.mend(), protocol="5"),
    Fault("network silent", lambda bed: bed.proxy.black_hole(), lambda bed: bed.proxy.mend(), longest_s=5.0),
)


def run(scale: Scale) -> Sequence[Tally]:
    """Make each fault several times; each has a testbed of its own, so that one does not explain another."""
    return [_suffer(fault, scale) for fault in FAULTS]


def _suffer(fault: Fault, scale: Scale) -> Tally:
    chance, times = scale.chance(fault.name), scale.of(TIMES)
    environment = {"EDGE_MQTT__PROTOCOL": fault.protocol}
    with Testbed(scale.folder / fault.name.replace(" ", "-"), users=USERS, environment=environment) as bed:
        bed.start_daemon().until_ready()
        until(lambda: bed.status()["mqtt"]["connected"], what="the broker's acceptance")
        http, folder = HttpTraffic(bed.http_port), FolderTraffic(bed.inbox)
        camera = MqttTraffic(bed.broker.port, ROOT, user=USERS["sender"])
        waits = []
        with http, folder, camera:
            for number in range(1, times + 1):
                time.sleep(CALM_S * (1 + chance.random()))
                long = number % LONG_EVERY == 0
                waits.append(_once(fault, bed, LONG_S if long else chance.uniform(0.2, fault.longest_s)))
        undrained = bed.undrained()
        taken = {("camera", name) for name in bed.proxy.recording.pictures_handed}
        tally = bed.account(fault.name, times, owed(http, folder) | (camera.owed & taken))
    slow = [
        f"a result came {wait:.1f} s after the end, promised are {RECOVERY_S}" for wait in waits if wait > RECOVERY_S
    ]
    silent = [f"HTTP answered {http.answers}"] if set(http.answers) != {200} else []
    # a picture that the broker took and forgot never came to the device
    forgotten = tally.lost_by_broker + len(camera.owed - taken)
    counted = replace(tally, recovery_s=round(max(waits), 2), lost_by_broker=forgotten)
    return counted.with_problems([*undrained, *slow[:1], *silent])


def _once(fault: Fault, bed: Testbed, lasting_s: float) -> float:
    """Make the fault for a while; return how long after its end the first result arrived."""
    fault.hurt(bed)
    time.sleep(lasting_s)
    fault.heal(bed)
    back = time.monotonic()
    return bed.first_result_s(back)
