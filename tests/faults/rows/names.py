"""Odd characters in names: the device's, the host's, those that senders give to sources and pictures, file names."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.daemon import START_S, RunningDaemon
from tests.edge.publishers.listener import Listener
from tests.faults.tally import Scale, Tally, skipped
from tests.faults.testbed import ROOT, Testbed
from tests.faults.traffic import PICTURE
from tests.faults.waiting import comes_true
from tests.mosquitto import until

TITLE = "odd names"
DEVICE_TITLE, HOST_TITLE, SENT_TITLE = "odd device names", "odd host names", "odd names of sources and files"
REFUSED_NAMES = (
    "press 7",
    "a/b",
    "/",
    "+",
    "#",
    "$SYS",
    "..",
    "-",
    "",
    " ",
    "prèss",
    "プレス",
    "😀",
    "a\nb",
    "a\tb",
    "a\x1b[31mb",
    "x" * 129,
    "x" * 300,
    "%s%n",
    "a'; DROP TABLE results; --",
)
TAKEN_NAMES = ("7", "PRESS-7.left_hand", "x" * 128)
HOSTS = ("press 7/left", "+#$", "プレス", "-_.", "x" * 64)
SOURCES = ("left camera", "プレス", "a'; --", "x" * 300, "..", "%s%n", "$line", "état", "😀", "http")
FILES = (
    *(
        f"{name}.png".encode()
        for name in ("a b", "+#", "プレス", "$(reboot)", "a\nb", "😀", "%s%n", "x" * 240, "'; --")
    ),
    b"no text: \xff\xfe.png",
)
REFUSED_CODE = 2
ANSWER_S = 15.0


def run(scale: Scale) -> Sequence[Tally]:
    """Try each name once; those that need a process each are fewer in the short form."""
    chance = scale.chance(TITLE)
    refused = REFUSED_NAMES if scale.full else chance.sample(REFUSED_NAMES, 3)
    hosts = HOSTS if scale.full else chance.sample(HOSTS, 1)
    return [
        _devices(scale.folder / "devices", refused, TAKEN_NAMES if scale.full else TAKEN_NAMES[-1:]),
        _hosts(scale.folder / "hosts", hosts),
        _sent(scale.folder / "sent"),
    ]


def _devices(folder: Path, refused: Sequence[str], names: Sequence[str]) -> Tally:
    """Refused with a text that names the key, or taken and seen in the topics."""
    problems = [problem for number, name in enumerate(refused) for problem in _unrefused(folder / str(number), name)]
    with Testbed(folder / "bed") as bed:
        delivered = sum(_result_arrives(bed, name) for name in names)
    taken = len(names)
    note = f"{len(refused) - len(problems)} names refused with exit code 2 and a text that tells the key, {taken} taken"
    return Tally(
        DEVICE_TITLE,
        times=len(refused) + taken,
        produced=taken,
        delivered=delivered,
        lost=taken - delivered,
        notes=(note,),
        problems=tuple(problems),
    )


def _unrefused(folder: Path, name: str) -> Iterator[str]:
    """Tell how a name that no topic can hold was not refused clearly."""
    daemon = RunningDaemon(folder, mqtt=True, EDGE_MQTT__DEVICE=name)
    try:
        code = daemon.process.wait(START_S)
    except subprocess.TimeoutExpired:
        daemon.process.kill()
        daemon.process.wait()
        yield f"the device name {name!r} was not refused"
        return
    told = daemon.stderr
    if code != REFUSED_CODE or "device" not in told or "Traceback" in told or "\x1b" in told:
        yield f"the device name {name!r} was refused with exit code {code} and the text {told[-200:]!r}"


def _result_arrives(bed: Testbed, device: str) -> bool:
    bed.start_daemon(EDGE_MQTT__DEVICE=device).until_ready()
    try:
        bed.daemon.predict(PICTURE)
        return _arrives(bed.witness, f"automl-edge/{device}/http/result")
    finally:
        bed.stop_daemon()


def _arrives(witness: Listener, topic: str, picture: str | None = None) -> bool:
    """Wait for a result of ``picture`` on a topic; tell whether it came."""
    return comes_true(lambda: _has(witness, topic, picture), within_s=ANSWER_S)


def _has(witness: Listener, topic: str, picture: str | None) -> bool:
    found = [m for m in witness.json("/result") if picture in {None, m.get("correlation_id"), m.get("name")}]
    return bool(found) and any(message.topic == topic for message in list(witness.messages))


def _hosts(folder: Path, hosts: Sequence[str]) -> Tally:
    """Without a device name the host's is taken, made safe for a topic."""
    change = shutil.which("unshare")
    if change is None or subprocess.run([change, "-u", "true"], capture_output=True, check=False).returncode != 0:
        return skipped(HOST_TITLE, "a process cannot be given a host name of its own here (unshare -u)")
    script = "import os,socket,sys; socket.sethostname(sys.argv[1]); os.environ.pop('EDGE_MQTT__DEVICE'); "
    script += "os.execv(sys.argv[2], sys.argv[2:])"
    delivered, problems = 0, []
    for number, host in enumerate(hosts):
        with Testbed(folder / str(number), wrapper=(change, "-u", sys.executable, "-c", script, host)) as bed:
            bed.start_daemon().until_ready()
            device = str(bed.status()["device"])
            bed.daemon.predict(PICTURE)
            arrived = _arrives(bed.witness, f"automl-edge/{device}/http/result")
            delivered += arrived
            problems += [] if device and not set(device) & set("/+# ") else [f"the host {host!r} became {device!r}"]
    times = len(hosts)
    return Tally(HOST_TITLE, times, times, delivered, lost=times - delivered, problems=tuple(problems))


def _sent(folder: Path) -> Tally:
    """Whatever senders and files are called, their pictures are answered under that name."""
    with Testbed(folder) as bed:
        bed.start_daemon().until_ready()
        until(lambda: bed.status()["mqtt"]["connected"], what="the broker's acceptance")
        outcome = {source: _is_answered(bed, source, f"id {source}"[:60]) for source in SOURCES}
        for file in FILES:
            _drop(bed.inbox, file)
        undrained = bed.undrained()
        for file in FILES:
            name = file.decode("utf-8", "backslashreplace")
            outcome[name] = _arrives(bed.witness, f"{ROOT}/inbox/result", name)
        ledger = bed.ledger()
    return Tally(
        SENT_TITLE,
        times=len(outcome),
        produced=len(outcome),
        delivered=sum(outcome.values()),
        lost=len(outcome) - sum(outcome.values()),
        notes=tuple(f"no answer for {name!r}" for name, came in outcome.items() if not came),
        # names that are no numbers have no order of their own
        problems=(*undrained, *(problem for problem in ledger.problems() if "out of their order" not in problem)),
    )


def _is_answered(bed: Testbed, source: str, correlation_id: str) -> bool:
    bed.witness.send(f"{ROOT}/{source}/image/{correlation_id}", PICTURE)
    level = source[:128]
    return _arrives(bed.witness, f"{ROOT}/{level}/result", correlation_id)


def _drop(inbox: Path, name: bytes) -> None:
    """Put a picture into the folder under a name of any bytes."""
    beside = inbox / "beside"
    beside.write_bytes(PICTURE)
    beside.rename(os.fsdecode(bytes(inbox) + b"/" + name))
