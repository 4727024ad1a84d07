"""`automl-train azure invoke` as it is typed: pictures over a real wire, and what can go wrong there."""

import csv
import json
import signal
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.azure.commands import COMMAND
from tests.azure.routes.endpoints import KEY, TOKEN, answer_of, endpoints_of
from tests.azure.standin import Cloud
from tests.azure.wire import Fault
from tests.fakes import COLOURS, encoded, known_probs, make_bundle, picture
from tests.mosquitto import until
from tests.training.cli.azure.deployed import put_endpoint, where
from training.cli import main


def invoke(azure: Cloud, tmp_path: Path, *words: object) -> Result:
    return CliRunner().invoke(main, ["azure", "invoke", *map(str, words), *where(azure, tmp_path)])


@pytest.fixture
def pictures(azure: Cloud, tmp_path: Path) -> Path:
    """Ten pictures in a folder, and an endpoint that knows their colours."""
    put_endpoint(azure, blue=90, green=10)
    endpoints_of(azure).answer = answer_of(make_bundle(tmp_path / "bundle"))
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(10):
        name = list(COLOURS)[number % 4]
        (folder / f"{number}_{name}.png").write_bytes(encoded(picture(COLOURS[name])))
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_a_folder_is_sent_a_picture_at_a_time(azure: Cloud, pictures: Path, tmp_path: Path) -> None:
    """Answers come in the order of the pictures, with labels, scores and who answered; the key is shown nowhere."""
    result = invoke(azure, tmp_path, "line-one", pictures, "--json")
    assert result.exit_code == 0, result.output
    answers = json.loads(result.stdout)
    assert [Path(one["path"]).name for one in answers] == sorted(p.name for p in pictures.glob("*.png"))
    for one in answers:
        name = Path(one["path"]).stem.split("_")[1]
        assert one["label"] == name
        assert one["probs"] == pytest.approx(known_probs(COLOURS[name]), abs=0.02)
        assert one["deployment"] == "blue"
    sent = azure.wire.bodies("POST", "/score$")
    assert len(sent) == 10
    assert all(body["input_data"]["columns"] == ["image"] and len(body["input_data"]["data"]) == 1 for body in sent)
    assert KEY not in result.output
    shown = invoke(azure, tmp_path, "line-one", pictures / "0_blue.png", "--deployment", "green")
    assert "0_blue.png" in shown.stdout.replace("\n", "").replace(" ", "")
    assert "green" in shown.stdout
    assert "pictures: 1, 0 without an answer" in shown.stdout
    assert max(len(line) for line in shown.stdout.splitlines()) <= 80
    assert KEY not in shown.output


@pytest.mark.parametrize(("auth", "secret"), [("AMLToken", TOKEN), ("AADToken", "ey")])
def test_tokens_open_the_endpoint_too(azure: Cloud, pictures: Path, tmp_path: Path, auth: str, secret: str) -> None:
    """A token is fetched where the endpoint asks for one, and shown nowhere."""
    put_endpoint(azure, auth=auth, blue=100)
    result = invoke(azure, tmp_path, "line-one", pictures / "0_blue.png")
    assert result.exit_code == 0, result.output
    assert azure.wire.count("POST", "/listKeys$") == 0
    assert f"{secret}." not in result.output
    assert TOKEN not in result.output


def test_what_is_no_picture_fails_in_its_own_place(azure: Cloud, pictures: Path, tmp_path: Path) -> None:
    """AutoML leaves it out, our runtime words an error: both are told for that very picture, and the exit code is 1."""
    (pictures / "1_red.png").write_bytes(b"no picture")
    for style, words in (
        ("mlflow", "leaves the picture out"),
        ("edge", "cannot use the picture: the picture is damaged"),
    ):
        endpoints_of(azure).style = style
        result = invoke(azure, tmp_path, "line-one", pictures, "--json")
        assert result.exit_code == 1
        answers = {Path(one["path"]).name: one for one in json.loads(result.stdout)}
        assert words in answers["1_red.png"]["error"]
        assert sum("error" in one for one in answers.values()) == 1
        assert answers["2_dark.png"]["label"] == "dark"


def test_answers_are_written_as_a_table_or_lines(azure: Cloud, pictures: Path, tmp_path: Path) -> None:
    """CSV has a column for each class, JSONL one object a picture."""
    table, lines = tmp_path / "out.csv", tmp_path / "out.jsonl"
    assert invoke(azure, tmp_path, "line-one", pictures, "--output", table).exit_code == 0
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "label", "score", *COLOURS, "deployment", "error"]
    assert [row["label"] for row in rows[:4]] == list(COLOURS)
    assert invoke(azure, tmp_path, "line-one", pictures, "--output", lines).exit_code == 0
    assert [json.loads(line)["label"] for line in lines.read_text().splitlines()][:4] == list(COLOURS)
    wrong = invoke(azure, tmp_path, "line-one", pictures, "--output", tmp_path / "out.txt")
    assert wrong.exit_code == 2
    assert "must end in .csv or .jsonl" in wrong.stderr


def test_boxes_are_shown_and_written(
    azure: Cloud, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A detector's answer has a row for each box, and one that says so for none."""
    monkeypatch.chdir(pictures)  # short paths, so that nothing is folded
    box = {"box": {"topX": 0.1, "topY": 0.2, "bottomX": 0.3, "bottomY": 0.4}, "label": "part", "score": 0.9}
    empty = (pictures / "0_blue.png").read_bytes()
    endpoints_of(azure).answer = lambda sent: [] if sent == empty else [box, {**box, "label": "scratch [x]"}]
    table = tmp_path / "out.csv"
    result = invoke(azure, tmp_path, "line-one", "0_blue.png", "1_bright.png", "--output", table)
    assert result.exit_code == 0, result.output
    shown = " ".join(result.stdout.split())
    assert "no boxes" in shown
    assert "part (0.100, 0.200, 0.300, 0.400)" in shown
    assert "scratch [x]" in shown
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["label"], row["topX"]) for row in rows] == [("", ""), ("part", "0.1"), ("scratch [x]", "0.1")]


def test_who_is_busy_is_asked_again(azure: Cloud, pictures: Path, tmp_path: Path) -> None:
    """429 and 503 wait as long as the answer says, then the picture is answered."""
    azure.wire.break_(r"POST /endpoints/line-one/score", 429, headers={"Retry-After": "0.1"}, times=1)
    azure.wire.break_(r"POST /endpoints/line-one/score", 503, headers={"Retry-After": "0.1"}, times=1)
    result = invoke(azure, tmp_path, "line-one", pictures / "0_blue.png")
    assert result.exit_code == 0, result.output
    assert [e.status for e in azure.wire.exchanges if e.path.endswith("/score")] == [503, 429, 200]


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (400, {}, "does not understand the request"),
        (408, {}, "takes longer than the deployment allows"),
        (413, {}, "the picture is too large for the endpoint"),
        (424, {"ms-azureml-model-error-statuscode": "500"}, "the model's server fails with 500"),
        (424, {"ms-azureml-model-error-reason": "model load failed"}, "the model's server fails: model load failed"),
        (429, {"Retry-After": "0"}, "the deployment needs more --instances"),
        (500, {}, "a fault of Azure's front end"),
        (503, {"Retry-After": "0"}, "it may be starting"),
        (504, {}, "the first picture after a start may take longest"),
    ],
)
def test_refused_pictures_are_told_in_words(
    azure: Cloud, pictures: Path, tmp_path: Path, status: int, headers: dict[str, str], words: str
) -> None:
    """Each status means something; the other pictures are sent all the same."""
    azure.wire.break_(r"POST /endpoints/line-one/score", status, headers=headers)
    result = invoke(azure, tmp_path, "line-one", pictures / "0_blue.png", pictures / "1_bright.png", "--json")
    assert result.exit_code == 1
    for one in json.loads(result.stdout):
        assert words in one["error"]


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "does not accept the key or token"), (403, "refuses this identity"), (404, "no deployment answers")],
)
def test_what_no_picture_will_pass_ends_at_once(
    azure: Cloud, pictures: Path, tmp_path: Path, status: int, words: str
) -> None:
    """A wrong key is told once, not for each picture."""
    azure.wire.break_(r"POST /endpoints/line-one/score", status)
    result = invoke(azure, tmp_path, "line-one", pictures)
    assert result.exit_code == 1
    assert words in result.stderr
    assert azure.wire.count("POST", "/score$") == 1


def test_answers_that_are_there_are_kept(azure: Cloud, pictures: Path, tmp_path: Path) -> None:
    """Whatever changes at the endpoint after the first picture, its answer is written, and the others tell why not."""

    def once(_: bytes) -> dict[str, float]:
        azure.wire.break_(r"POST /endpoints/line-one/score", 404)
        return {"good": 0.9, "bad": 0.1}

    endpoints_of(azure).answer = once
    result = invoke(azure, tmp_path, "line-one", pictures, "--output", tmp_path / "out.jsonl")
    assert result.exit_code == 1
    first, *others = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert first["label"] == "good"
    assert len(others) == 9
    assert all("no deployment answers" in one["error"] for one in others)


def test_an_interrupt_waits_for_no_silent_endpoint(azure: Cloud, pictures: Path, tmp_path: Path) -> None:
    """Four pictures are under way, each of which might be waited for minutes."""

    silence: list[Fault] = []

    def once(_: bytes) -> dict[str, float]:
        silence.append(azure.wire.break_(r"POST /endpoints/line-one/score", hang_s=60, times=4))
        return {"good": 0.9, "bad": 0.1}

    endpoints_of(azure).answer = once
    words = [*COMMAND, "azure", "invoke", "line-one", str(pictures)]
    with subprocess.Popen([*words, *where(azure, tmp_path)], stderr=subprocess.PIPE, text=True) as process:
        until(lambda: silence and silence[0].times == 0, within_s=20, what="four pictures under way")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode == 130


def test_folders_of_a_folder_are_looked_into(azure: Cloud, pictures: Path, tmp_path: Path) -> None:
    """Pictures that are kept one folder a class are found; what is hidden is not."""
    for name in ("red", ".trash"):
        (pictures / "classes" / name).mkdir(parents=True)
        (pictures / "classes" / name / "one.png").write_bytes((pictures / "0_blue.png").read_bytes())
    result = invoke(azure, tmp_path, "line-one", pictures / "classes", "--json")
    assert result.exit_code == 0, result.output
    assert [one["path"] for one in json.loads(result.stdout)] == [str(pictures / "classes/red/one.png")]


def test_a_silent_address_is_told(azure: Cloud, pictures: Path, tmp_path: Path) -> None:
    """Where nobody listens, one line says so."""
    path = next(b["id"] for b in azure.resources if b["id"].endswith("/onlineEndpoints/line-one"))
    azure.resources.get(path)["properties"]["scoringUri"] = "https://localhost:1/score"
    result = invoke(azure, tmp_path, "line-one", pictures)
    assert result.exit_code == 1
    assert "https://localhost:1/score does not answer" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "exit_code", "message"),
    [
        (("nowhere", "{pictures}"), 1, "there is no endpoint nowhere"),
        (("line-one", "{pictures}", "--deployment", "red"), 2, "no deployment red; there are blue, green"),
        (("line-one", "{tmp}/empty"), 1, "no pictures in"),
        (("idle", "{pictures}"), 2, "no deployment of idle has traffic"),
    ],
)
def test_what_cannot_be_asked_is_told(
    azure: Cloud, pictures: Path, tmp_path: Path, words: tuple[str, ...], exit_code: int, message: str
) -> None:
    """Wrong names and empty folders end before a picture is sent."""
    (tmp_path / "empty").mkdir()
    put_endpoint(azure, "idle", blue=0)
    result = invoke(azure, tmp_path, *(word.format(pictures=pictures, tmp=tmp_path) for word in words))
    assert (result.exit_code, message in result.stderr) == (exit_code, True), result.output
    assert azure.wire.count("POST", "/score$") == 0


def test_a_key_that_may_not_be_seen_is_told(azure: Cloud, pictures: Path, tmp_path: Path) -> None:
    """The right to list the endpoint's keys is one of its own."""
    azure.wire.break_(r"POST .*/listKeys", 403)
    result = invoke(azure, tmp_path, "line-one", pictures)
    assert result.exit_code == 1
    assert "getting the key of the endpoint line-one" in result.stderr
