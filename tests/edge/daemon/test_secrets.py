"""Secrets never show: every secret is a canary, and everything that comes out is searched for it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from edge.tokens import Grant, TokensFile
from tests.daemon import RunningDaemon, running
from tests.edge.publishers.listener import Listener
from tests.fakes import COLOURS, encoded, make_bundle, picture
from tests.mosquitto import Mosquitto, needs_mosquitto, until

CANARY = "canary-7f3a9c51d2"
TOKEN, PASSWORD = f"{CANARY}-token", f"{CANARY}-password"
PROJECT = Path(__file__).parents[3]
RED = encoded(picture(COLOURS["red"]))
REQUESTS = [
    ("GET", "/v1/status", b""), ("GET", "/v1/models", b""), ("GET", "/v1/results", b""), ("GET", "/metrics", b""),
    ("GET", "/openapi.json", b""), ("GET", "/", b""), ("GET", "/readyz", b""), ("GET", "/nothing", b""),
    ("POST", "/v1/predict", RED), ("POST", "/v1/predict", b"no picture"), ("POST", "/v1/predict", b'{"images": 1}'),
    ("POST", "/score", b'{"input_data": 1}'), ("POST", "/v1/models/colours/rollback", b""), ("DELETE", "/score", b""),
    ("POST", "/v1/models/..%2F..%2Fetc/activate", b'{"version": "../.."}'), ("POST", "/v1/models/x/activate", b"["),
]  # fmt: skip


def headers() -> Iterator[Mapping[str, str]]:
    """Yield the right token, wrong ones that hold the canary, and none."""
    yield {"authorization": f"Bearer {TOKEN}"}
    yield {"authorization": f"Bearer {TOKEN}x"}
    yield {"authorization": f"Basic {TOKEN}"}
    yield {"authorization": f"Bearer {TOKEN}", "origin": "http://evil.example"}
    yield {}


def everything_asked(daemon: RunningDaemon) -> str:
    """Return all that the daemon answers, headers too."""
    texts = []
    with httpx.Client(base_url=daemon.url, timeout=20) as client:
        for given in headers():
            for method, path, body in REQUESTS:
                answer = client.request(method, path, content=body, headers=given)
                texts.append(f"{answer.headers} {answer.text}")
    return "\n".join(texts)


def command_line(pid: int) -> bytes:
    """Return what every user of the machine can see of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes() if Path("/proc").exists() else b""


def kept(folder: Path) -> bytes:
    """Return all files that the daemon wrote."""
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


@needs_mosquitto
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_running_daemon_shows_no_secret(tmp_path: Path, form: str) -> None:
    """At debug level, with a broker: logs, answers, refusals, state, process list, what is kept on the disk."""
    make_bundle(tmp_path / "models" / "colours" / "1")
    minted = TokensFile(tmp_path / "tokens.json").add(Grant("line", frozenset({"predict"})))
    broker = Mosquitto(tmp_path / "broker", users={"press": PASSWORD, "other": "x"}).start()
    secrets = {"EDGE_HTTP__TOKEN": TOKEN, "EDGE_MQTT__USERNAME": "press", "EDGE_MQTT__PASSWORD": PASSWORD}
    settings = {
        "EDGE_HTTP__TOKENS_FILE": str(tmp_path / "tokens.json"), "EDGE_MQTT__HOST": "127.0.0.1",
        "EDGE_MQTT__PORT": str(broker.port), "EDGE_LOG__LEVEL": "debug", "EDGE_LOG__FORMAT": form,
    }  # fmt: skip
    try:
        with (
            Listener(broker.port, "#", user=("other", "x")) as listener,
            running(tmp_path, mqtt=True, **secrets, **settings) as daemon,
        ):
            answers = everything_asked(daemon)
            with httpx.Client(base_url=daemon.url) as client:
                answers += client.get("/v1/status", headers={"authorization": f"Bearer {minted}"}).text
                answers += client.get("/v1/status", headers={"authorization": f"Bearer {minted[:-1]}"}).text
            until(lambda: listener.json("state"), what="the state")
            said = b"".join(message.payload for message in listener.messages).decode()
            seen = command_line(daemon.process.pid)
            assert daemon.stop() == 0
    finally:
        broker.stop()
    assert '"ready":true' in said
    for secret in (CANARY, minted):
        for place in (
            daemon.stdout,
            daemon.stderr,
            answers,
            said,
            seen.decode(),
            kept(tmp_path / "var").decode("latin-1"),
        ):
            assert secret not in place
    assert "Traceback" not in daemon.stderr


@needs_mosquitto
def test_a_broker_that_refuses_the_password_hears_it_and_nobody_else(tmp_path: Path) -> None:
    """Log and status tell what to check, not what was sent."""
    broker = Mosquitto(tmp_path / "broker", users={"press": "another"}).start()
    make_bundle(tmp_path / "models" / "colours" / "1")
    settings = {"EDGE_MQTT__HOST": "127.0.0.1", "EDGE_MQTT__PORT": str(broker.port), "EDGE_LOG__LEVEL": "debug"}
    secrets = {"EDGE_MQTT__USERNAME": "press", "EDGE_MQTT__PASSWORD": PASSWORD}
    try:
        with running(tmp_path, mqtt=True, **settings, **secrets) as daemon:
            until(lambda: daemon.status()["mqtt"]["problem"], what="the refusal")
            said = json.dumps(daemon.status())
            assert daemon.stop() == 0
    finally:
        broker.stop()
    assert "mqtt.password" in said
    assert CANARY not in f"{said}{daemon.stderr}{daemon.stdout}"


WRONG = {
    "no header can hold it": f'[http]\ntoken = "{TOKEN} {TOKEN}"\n',
    "a list": f'[http]\ntoken = ["{TOKEN}"]\n',
    "a table": f'[http.token]\nvalue = "{TOKEN}"\n',
    "a table in a list": f'[[http]]\ntoken = "{TOKEN}"\n',
    "lists of tables": f'http = [[{{token = "{TOKEN}"}}]]\n',
    "a key misspelt": f'[http]\ntokn = "{TOKEN}"\n',
    "the wrong section": f'[model]\ntoken = "{TOKEN}"\n[mqtt]\ntoken = "{TOKEN}"\n',
    "no text": f"[http]\ntoken = {TOKEN}\n",
    "not closed": f'[http]\ntoken = "{TOKEN}\n',
    "twice": f'[http]\ntoken = "{TOKEN}"\ntoken = "{TOKEN}"\n',
    "no user name": f'[mqtt]\nhost = "b"\npassword = "{PASSWORD}"\n',
    "beside another mistake": f'[http]\ntoken = "{TOKEN}"\nport = "x"\n[mqtt]\nhost = 7\npassword = "{PASSWORD}"\n',
    "a secret in a source": f'[[source]]\nkind = "folder"\nname = "in"\npath = "x"\npassword = "{PASSWORD}"\n',
}


@pytest.mark.parametrize("command", ["check", "run", "doctor"])
@pytest.mark.parametrize("debug", [[], ["--debug"]], ids=["", "debug"])
def test_a_wrong_configuration_shows_no_secret(tmp_path: Path, command: str, debug: list[str]) -> None:
    """Every way to get it wrong, tracebacks included."""
    for number, text in enumerate(WRONG.values()):
        (tmp_path / f"{number}.toml").write_text(text)
    lines = "\n".join(
        [
            "import sys",
            "from edge.cli import root",
            f"for number in range({len(WRONG)}):",
            f"    try: root([*{debug!r}, {command!r}, '-c', f'{{number}}.toml'], standalone_mode=not {bool(debug)})",
            "    except SystemExit as end: assert end.code == 2, (number, end.code)",
            "    except Exception: sys.excepthook(*sys.exc_info())",
        ]
    )
    done = _run(lines, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Traceback" if debug else "error: ") >= len(WRONG)
    assert CANARY not in done.stdout + done.stderr


def test_check_masks_secrets(tmp_path: Path) -> None:
    """A right configuration, as TOML and as JSON."""
    (tmp_path / "edge.toml").write_text(
        f'[http]\ntoken = "{TOKEN}"\n[mqtt]\nhost = "b"\nusername = "u"\npassword = "{PASSWORD}"\n'
    )
    for form in ([], ["--json"]):
        done = _run(f"from edge.cli import root; root(['check', '-c', 'edge.toml', *{form!r}])", tmp_path)
        assert done.returncode == 0
        assert "***" in done.stdout
        assert CANARY not in done.stdout + done.stderr


FAULTY = """
import sys, httpx
from edge.api.access import Access
from edge.api.app import create_app
from edge.api.feed import Feed
from edge.api.server import HttpServer
from edge.logs import configure
from edge.tokens import KnownTokens
from tests.edge.api.fakes import FakeControl, failing
token = sys.stdin.read()
configure(sys.argv[1], "debug")
class Broken(FakeControl):
    def models(self): raise RuntimeError("a bug")
parts = dict(submit=failing(ValueError("a bug")), control=Broken(), metrics=lambda: 1 / 0)
feed, access = Feed(), Access(KnownTokens(token))
with HttpServer(create_app(feed=feed, access=access, **parts), feed=feed, host="127.0.0.1", port=0) as server:
    with httpx.Client(base_url=server.url, headers={"authorization": "Bearer " + token}) as client:
        for method, path in [("POST", "v1/predict"), ("GET", "v1/models"), ("GET", "metrics")]:
            answer = client.request(method, path, content=b"x")
            print(answer.status_code, answer.headers, answer.text)
"""


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_fault_of_ours_shows_no_secret(tmp_path: Path, form: str) -> None:
    """500, and tracebacks of the framework and the server in the log, though no secret was named to it."""
    done = _run(FAULTY, tmp_path, form, given=TOKEN)
    assert done.stdout.count("500 ") == 3, done.stderr
    assert done.stderr.count("a bug") >= 2
    assert CANARY not in done.stdout + _without_client(done.stderr)


def _without_client(log: str) -> str:
    """Return the log without the lines of the test's own HTTP client."""
    return "\n".join(line for line in log.splitlines() if "httpcore" not in line and "httpx" not in line)


def _run(code: str, folder: Path, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    outside = {name: value for name, value in os.environ.items() if not name.startswith("EDGE_")}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(
        command, cwd=folder, env=outside | {"PYTHONPATH": str(PROJECT)}, input=given, capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip
