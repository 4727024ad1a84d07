"""How a job that is followed shows, in a terminal, in a log, for a program."""

import json
import re
from datetime import UTC, datetime, timedelta
from io import StringIO

import click
import pytest
from rich.console import Console

from training.azure.job_views import JobView
from training.azure.watch import Back, Lost, News, Seen, TimedOut
from training.cli.azure.following import Duration, LiveTable, last_words, outcome, showing, span
from training.leaderboard import State, Trial


def seen(state: State, *trials: Trial, reasons: dict[str, str] | None = None, **more: object) -> Seen:
    told: dict[str, object] = {"metric": "accuracy", "planned": 2, "trials": trials, **more}
    return Seen(JobView("line", "automl", state, state.capitalize(), **told), reasons or {})  # type: ignore[arg-type] # any of its fields


def trial(number: int, state: State, accuracy: float | None = None, seconds: float | None = None) -> Trial:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    ended = None if seconds is None else began + timedelta(seconds=seconds)
    metrics = {} if accuracy is None else {"accuracy": accuracy}
    return Trial(
        f"line_HD_{number}", state, {"model_name": "resnet18", "learning_rate": 0.01}, metrics, accuracy, began, ended
    )


STORY: list[News] = [
    seen("waiting"),
    seen("running", trial(0, "running")),
    seen("running", trial(0, "running")),
    seen("running", trial(0, "running", 0.5)),
    Lost("asking for the job line: Azure cannot be reached"),
    Back(125.0),
    seen("running", trial(0, "completed", 0.8, 200), trial(1, "failed", None, 60), reasons={"line_HD_1": "no memory"}),
    seen(
        "completed", trial(0, "completed", 0.8, 200), trial(1, "failed", None, 60), reasons={"line_HD_1": "no memory"}
    ),
]


def told(story: list[News], capsys: pytest.CaptureFixture[str], *, as_json: bool) -> list[str]:
    with showing(Console(file=StringIO()), as_json=as_json) as shown:
        for news in story:
            shown.tell(news)
    return capsys.readouterr().out.splitlines()


def test_lines_tell_each_change_once(capsys: pytest.CaptureFixture[str]) -> None:
    """With the time of day in front."""
    lines = told(STORY, capsys, as_json=False)
    assert all(re.match(r"\d\d:\d\d:\d\d  ", line) for line in lines)
    assert [line[10:] for line in lines] == [
        "job line: Waiting",
        "trial 0: running, model_name resnet18, learning_rate 0.01",
        "job line: Running, 0 of 2 trials done (1 running)",
        "trial 0: running, accuracy 0.5000",
        "no answer from Azure; the job goes on, asking again: asking for the job line: Azure cannot be reached",
        "Azure answers again, after 2 min 5 s",
        "trial 0: completed, accuracy 0.8000, after 3 min 20 s",
        "trial 1: failed, model_name resnet18, learning_rate 0.01, after 1 min: no memory",
        "job line: Running, 2 of 2 trials done (1 failed)",
        "job line: Completed, 2 of 2 trials done (1 failed)",
    ]


def test_a_second_loss_is_told_like_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    """The same words twice are two losses."""
    lost, back = Lost("away"), Back(3.0)
    assert len(told([lost, back, lost, back], capsys, as_json=False)) == 4


def test_what_cannot_be_read_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """It stays so."""
    lines = told([seen("running", note="metrics cannot be read")] * 2, capsys, as_json=False)
    assert [line[10:] for line in lines] == ["metrics cannot be read", "job line: Running"]


def test_json_lines_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """One object an event; the job's carries the exit code once it ended."""
    events = [json.loads(line) for line in told([*STORY, TimedOut(None)], capsys, as_json=True)]
    assert [event["event"] for event in events] == [
        "job",
        "trial",
        "job",
        "trial",
        "lost",
        "back",
        "trial",
        "trial",
        "job",
        "job",
        "timeout",
    ]
    assert all(datetime.fromisoformat(event["at"]).tzinfo for event in events)
    assert events[7]["trial"] == "line_HD_1"
    assert (events[7]["state"], events[7]["reason"], events[7]["score"]) == ("failed", "no memory", None)
    assert events[6]["metrics"] == {"accuracy": 0.8}
    assert (events[8]["exit_code"], events[9]["exit_code"], events[10]["exit_code"]) == (None, 0, 4)
    assert events[9]["trials"] == {"completed": 1, "failed": 1}
    assert events[5]["after_s"] == 125.0


def screen(table: LiveTable, console: Console) -> str:
    with console.capture() as capture:
        console.print(table.draw())
    return capture.get()


def test_the_live_table_shows_how_it_stands() -> None:
    """Nothing yet, then trials and why they failed, a loss only while it lasts."""
    console = Console(file=StringIO(), width=80, height=24)
    table = LiveTable(console)
    assert "asking Azure" in screen(table, console)
    table.tell(Lost("away"))
    assert "no answer from Azure" in screen(table, console)
    created = datetime.now(UTC) - timedelta(minutes=5)
    trials = [trial(0, "running", 0.5), trial(1, "failed")]
    table.tell(seen("running", *trials, reasons={"line_HD_1": "no memory"}, created=created))
    text = screen(table, console)
    assert "1.      0  running    0.5000" in text
    assert "trial 1 failed: no memory" in text
    assert "5 min since it was submitted" in text
    table.tell(Lost("away"))
    assert "no answer from Azure" in screen(table, console)
    table.tell(Back(3))
    assert "no answer from Azure" not in screen(table, console)


def test_the_live_table_is_no_higher_than_the_terminal() -> None:
    """Those that run are seen in any case, with the best."""
    console = Console(file=StringIO(), width=80, height=24)
    table = LiveTable(console)
    trials = [trial(n, "completed", 0.5 + n / 1000) for n in range(100)]
    table.tell(seen("running", *trials, trial(100, "running", 0.1), created=datetime.now(UTC)))
    text = screen(table, console)
    assert len(text.splitlines()) <= 24
    assert " 99  completed" in text
    assert "101.    100  running" in text
    assert "85 more trials" in text


def test_a_pipelines_steps_are_lines() -> None:
    """They have no metrics, nor a place."""
    console = Console(file=StringIO(), width=80, height=24)
    table = LiveTable(console)
    table.tell(seen("running", Trial("prepare", "completed"), Trial("train", "running"), metric=None, planned=None))
    assert "trial train: running" in screen(table, console)


def test_in_a_terminal_the_table_is_drawn_anew() -> None:
    """The last drawing stays."""
    file = StringIO()
    with showing(Console(file=file, force_terminal=True, width=80), as_json=False) as shown:
        for news in STORY:
            shown.tell(news)
    assert "job line: Completed, 2 of 2 trials done (1 failed)" in file.getvalue()


@pytest.mark.parametrize(
    ("news", "code"),
    [
        (seen("completed"), 0),
        (seen("failed"), 1),
        (seen("cancelled"), 3),
        (TimedOut(None), 4),
        (seen("running"), None),
        (Lost("away"), None),
        (Back(1.0), None),
    ],
)
def test_the_exit_code_tells_how_it_ended(news: News, code: int | None) -> None:
    """As the help says."""
    assert outcome(news) == code


@pytest.mark.parametrize(
    ("news", "words"),
    [
        (seen("failed", reasons={"line": "no quota"}), "job line: Failed: no quota"),
        (seen("cancelled"), "job line: Cancelled"),
        (seen("completed"), "job line: Completed"),
        (
            seen("completed", trial(0, "completed", 0.8), best="line_HD_0"),
            "best: trial 0, accuracy 0.8000\nnext: automl-train azure fetch line --model NAME makes a bundle of it",
        ),
    ],
)
def test_the_last_words(news: Seen, words: str) -> None:
    """How it ended, and what comes next."""
    assert last_words(news, "line") == words


def test_nothing_is_said_of_a_job_that_nobody_has_seen(capsys: pytest.CaptureFixture[str]) -> None:
    """Whether it goes on, or is there at all, is not known."""
    with showing(Console(file=StringIO()), as_json=False) as shown:
        shown.tell(Lost("away", seen=False))
    assert capsys.readouterr().out.endswith("  no answer from Azure, asking again: away\n")


@pytest.mark.parametrize(("text", "seconds"), [("45", 45), ("45s", 45), ("90m", 5400), ("1.5h", 5400), ("2 d", 172800)])
def test_times_as_people_write_them(text: str, seconds: float) -> None:
    """A bare number is seconds."""
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "0", "5w", "1h30m", "367d", "9" * 1000])
def test_what_is_no_time_is_refused(text: str) -> None:
    """With examples of what is."""
    with pytest.raises(click.BadParameter, match="is no time up to a year; write 45s, 90m, 2h or 1d"):
        Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "0 s"),
        (-90, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (7380, "2 h 3 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_times_for_people(seconds: float, text: str) -> None:
    """The two largest units."""
    assert span(seconds) == text
