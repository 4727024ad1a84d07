"""What is sent to do harm, on every way that a picture can come in: bombs, addresses, names that lead elsewhere."""

import base64
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.daemon import RunningDaemon, running
from tests.edge.preprocess.bombs import png
from tests.edge.publishers.listener import Listener
from tests.fakes import COLOURS, encoded, make_bundle, picture
from tests.mosquitto import until

RED = encoded(picture(COLOURS["red"]))
BOMB = png(width=50_000, height=50_000)
TOO_LARGE = "ImageTooLargeError"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[RunningDaemon]:
    """A device with a model, a watched folder and the embedded broker."""
    pytest.importorskip("amqtt", reason="the embedded broker needs automl-edge[demo]")
    make_bundle(tmp_path / "models" / "colours" / "1")
    (tmp_path / "inbox").mkdir()
    config = tmp_path / "edge.toml"
    source = f'[[source]]\nkind = "folder"\nname = "inbox"\npath = "{tmp_path}/inbox"\npoll_s = 0.05\n'
    config.write_text(source)
    with running(tmp_path, config=config, mqtt=True) as started:
        yield started


def test_a_bomb_is_stopped_on_every_way_in(daemon: RunningDaemon, tmp_path: Path) -> None:
    """Raw, as a form, as base64, in Azure's form, over MQTT, from a folder: named, and the next picture is answered."""
    text = base64.b64encode(BOMB).decode()
    ways = [
        httpx.post(f"{daemon.url}/v1/predict", content=BOMB),
        httpx.post(f"{daemon.url}/v1/predict", files={"image": BOMB}),
        httpx.post(f"{daemon.url}/v1/predict", json={"images": [text]}),
        httpx.post(f"{daemon.url}/score", content=BOMB),
    ]
    assert [answer.status_code for answer in ways] == [413] * 4
    assert {answer.json()["type"] for answer in ways} == {f"urn:automl-edge:error:{TOO_LARGE}"}
    in_a_list = httpx.post(f"{daemon.url}/score", json={"input_data": [text]})
    assert in_a_list.json()[0]["error"]["kind"] == TOO_LARGE
    with Listener(daemon.mqtt_port) as listener:
        listener.send("automl-edge/press-7/bench/image", BOMB)
        (tmp_path / "inbox" / "bomb.png").write_bytes(BOMB)
        for source in ("bench", "inbox"):
            (result,) = listener.wait_for(f"{source}/result")
            assert result["predictions"][0]["error"]["kind"] == TOO_LARGE
    assert daemon.predict(RED)["predictions"][0]["label"] == "red"


def test_no_address_is_ever_fetched(daemon: RunningDaemon) -> None:
    """Wherever a picture may stand, an address is refused as one; nobody calls."""
    called = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.2)
        url = f"http://127.0.0.1:{trap.getsockname()[1]}/part.jpg"
        answers = [
            httpx.post(f"{daemon.url}/v1/predict", json={"images": [url, "file:///etc/passwd"]}).json()["predictions"],
            httpx.post(f"{daemon.url}/score", json={"input_data": [url]}).json(),
            httpx.post(f"{daemon.url}/score", json={"input_data": {"columns": ["image"], "data": [[url]]}}).json(),
        ]
        bodies = [url.encode(), b"file:///etc/passwd", b"/etc/passwd"]
        raw = [httpx.post(f"{daemon.url}/v1/predict", content=body).status_code for body in bodies]
        try:
            trap.accept()[0].close()
            called.set()
        except TimeoutError:
            pass
    assert all(
        "is a URL; pictures are sent, never fetched" in one["error"]["detail"] for some in answers for one in some
    )
    assert raw == [400] * 3
    assert not called.is_set()


NAMES = [
    "..",
    ".",
    "..%2F..%2Fetc",
    "%2Fetc%2Fpasswd",
    "..%5C..",
    "colours%2F..%2F..",
    "colours%00",
    "%2e%2e%2f",
    "~root",
]
VERSIONS = ["..", "../..", "/etc", "1/../../..", "", "~", "1\u0000", "a" * 5000, "\ud800"]


def test_no_name_leads_out_of_its_folder(daemon: RunningDaemon, tmp_path: Path) -> None:
    """Over HTTP and MQTT: refused as unknown, the running model stays, and nothing appears anywhere."""
    before = {path for path in tmp_path.rglob("*") if path.suffix in {".json", ".onnx"}}
    with httpx.Client(base_url=daemon.url) as client, Listener(daemon.mqtt_port) as listener:
        for name in NAMES:
            for verb in ("activate", "rollback"):
                assert client.post(f"/v1/models/{name}/{verb}").status_code in {400, 404, 422}
        for version in VERSIONS:
            answer = client.post("/v1/models/colours/activate", content=json.dumps({"version": version}))
            assert answer.status_code in {400, 404, 422}, (version[:10], answer.text)
        listener.send("automl-edge/press-7/cmd/activate", b'{"id": "1", "name": "../../etc", "version": ".."}')
        assert not listener.wait_for("ack/1")[0]["ok"]
    after = {path for path in tmp_path.rglob("*") if path.suffix in {".json", ".onnx"}}
    assert after == before
    until(lambda: daemon.predict(RED)["model"]["version"] == "1", what="version 1")
