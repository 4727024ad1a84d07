"""Pictures with known answers, in each of the three ways a person may give them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from edge.artifacts.answers import SHOWN, Answer, Classes, read_answers
from edge.errors import ConfigError

ONE = Classes(("blue", "dark red", "red"), threshold=None)
MANY = Classes(("blue", "dark red", "red"), threshold=0.5)


def pictures(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"picture")
    return folder


def known(answers: Sequence[Answer]) -> dict[str, set[str]]:
    return {answer.name: set(answer.labels) for answer in answers}


def test_a_sub_folder_is_a_class(tmp_path: Path) -> None:
    """Pictures lie in folders named like their class; other files and hidden ones are passed over."""
    pictures(
        tmp_path, "red/1.png", "red/2.JPG", "dark red/1.tiff", "red/notes.txt", "red/.3.png", ".git/4.png", "5.png"
    )
    assert known(read_answers(tmp_path, ONE)) == {
        "dark red/1.tiff": {"dark red"},
        "red/1.png": {"red"},
        "red/2.JPG": {"red"},
    }


CSV: list[tuple[str, Classes, dict[str, set[str]]]] = [
    ("a.png,red\nb.png,blue\n", ONE, {"a.png": {"red"}, "b.png": {"blue"}}),
    ("file,label\na.png,red\n", ONE, {"a.png": {"red"}}),
    ("\ufeffImage,Label\r\na.png,dark red\r\n\r\n", ONE, {"a.png": {"dark red"}}),
    ('a.png,"red blue"\n', MANY, {"a.png": {"red", "blue"}}),
    ("a.png,red;dark red\n", MANY, {"a.png": {"red", "dark red"}}),
    ("a.png,dark red\n", MANY, {"a.png": {"dark red"}}),
    ("a.png,red,blue\n", MANY, {"a.png": {"red", "blue"}}),
    ("a.png,\n", MANY, {"a.png": set()}),
    ("a.png,red\nb.png,red", ONE, {"a.png": {"red"}, "b.png": {"red"}}),
]


@pytest.mark.parametrize(("text", "classes", "answers"), CSV)
def test_csv(tmp_path: Path, text: str, classes: Classes, answers: dict[str, set[str]]) -> None:
    """One line a picture, with or without a header; several labels in one cell or several."""
    pictures(tmp_path, "a.png", "b.png")
    (tmp_path / "answers.csv").write_text(text, encoding="utf-8")
    assert known(read_answers(tmp_path, classes)) == answers


JSONL: list[tuple[Mapping[str, Any], Classes, set[str], tuple[float, ...] | None]] = [
    ({"label": "red"}, ONE, {"red"}, None),
    ({"labels": ["red"]}, ONE, {"red"}, None),
    ({"labels": ["red", "blue"]}, MANY, {"red", "blue"}, None),
    ({"labels": []}, MANY, set(), None),
    ({"probs": [0.1, 0.7, 0.2]}, ONE, {"dark red"}, (0.1, 0.7, 0.2)),
    ({"probs": [0.6, 0.7, 0.2]}, MANY, {"blue", "dark red"}, (0.6, 0.7, 0.2)),
    ({"probs": [0.7, 0.2, 0.1], "labels": ["red", "blue", "dark red"]}, ONE, {"red"}, (0.2, 0.1, 0.7)),
    ({"probs": [0, 0, 1], "label": "blue", "score": 1}, ONE, {"red"}, (0.0, 0.0, 1.0)),
]


@pytest.mark.parametrize(("body", "classes", "labels", "probs"), JSONL)
def test_jsonl(
    tmp_path: Path, body: Mapping[str, Any], classes: Classes, labels: set[str], probs: tuple[float, ...] | None
) -> None:
    """Labels, or the probabilities as the cloud endpoint gave them, in its own order of classes."""
    pictures(tmp_path, "a.png")
    (tmp_path / "answers.jsonl").write_text(json.dumps({"image": "a.png", **body}) + "\n\n")
    (answer,) = read_answers(tmp_path, classes)
    assert set(answer.labels) == labels
    assert answer.probs == probs


def test_what_predict_wrote_can_be_read(tmp_path: Path) -> None:
    """A line of ``automl-edge predict --output x.jsonl`` is an answer."""
    line = {"path": "a.png", "label": "red", "score": 0.9, "labels": list(ONE.labels), "probs": [0.05, 0.05, 0.9]}
    pictures(tmp_path, "a.png")
    (tmp_path / "answers.jsonl").write_text(json.dumps(line))
    (answer,) = read_answers(tmp_path, ONE)
    assert answer == Answer("a.png", tmp_path / "a.png", frozenset(("red",)), (0.05, 0.05, 0.9))


WRONG: list[tuple[str, str, Classes, str]] = [
    ("answers.csv", "a.png,rot\n", ONE, "line 1: the model has no class rot; its classes are blue, dark red, red"),
    ("answers.csv", "a.png\n", ONE, "line 1: a file and its label are expected"),
    ("answers.csv", "a.png,red,blue\n", ONE, "line 1: a.png has 2 labels; a multi-class model says exactly one"),
    ("answers.csv", "c.png,red\n", ONE, "line 1: there is no picture c.png"),
    ("answers.csv", "a.png,red\na.png,red\n", ONE, "line 2: a.png is answered twice"),
    ("answers.csv", 'a.png,"red\n', ONE, "cannot read the known answers"),
    ("answers.csv", "", ONE, "holds no pictures with known answers"),
    ("answers.csv", "file,label\n", ONE, "holds no pictures with known answers"),
    ("answers.jsonl", "{\n", ONE, "line 1: no JSON"),
    ("answers.jsonl", "[]\n", ONE, 'line 1: an object with "image" is expected'),
    ("answers.jsonl", '{"image": 3}', ONE, 'line 1: an object with "image" is expected'),
    ("answers.jsonl", '{"image": "a.png"}', ONE, 'line 1: "probs", "label" or "labels" is expected'),
    ("answers.jsonl", '{"image": "a.png", "labels": [1]}', ONE, '"probs", "label" or "labels" is expected'),
    ("answers.jsonl", '{"image": "a.png", "labels": []}', ONE, "a.png has 0 labels"),
    ("answers.jsonl", '{"image": "a.png", "probs": [0.5, 0.5]}', ONE, "2 probabilities for 3 classes"),
    (
        "answers.jsonl",
        '{"image": "a.png", "probs": [0.5, 0.5, 2]}',
        ONE,
        '"probs" must be a list of numbers from 0 to 1',
    ),
    ("answers.jsonl", '{"image": "a.png", "probs": [1, 0, NaN]}', ONE, '"probs" must be a list of numbers from 0 to 1'),
    ("answers.jsonl", '{"image": "a.png", "probs": [1, 0, true]}', ONE, '"probs" must be a list of numbers'),
    ("answers.jsonl", '{"image": "a.png", "probs": "high"}', ONE, '"probs" must be a list of numbers from 0 to 1'),
    ("answers.jsonl", '{"image": "a.png", "probs": [1], "labels": ["red"]}', ONE, "must name the model's classes"),
]


@pytest.mark.parametrize(
    ("file", "text", "classes", "problem"), WRONG, ids=[f"{case[0]} {case[1]!r}" for case in WRONG]
)
def test_wrong_answers_name_the_line(tmp_path: Path, file: str, text: str, classes: Classes, problem: str) -> None:
    """Each mistake names the file, the line and what was expected."""
    pictures(tmp_path, "a.png")
    (tmp_path / file).write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_answers(tmp_path, classes)
    assert problem in str(caught.value)


def test_every_mistake_is_listed_up_to_a_number(tmp_path: Path) -> None:
    """Many mistakes are shown as ten and a count, not as the first alone."""
    (tmp_path / "answers.csv").write_text("".join(f"{number}.png,red\n" for number in range(SHOWN + 7)))
    with pytest.raises(ConfigError) as caught:
        read_answers(tmp_path, ONE)
    lines = str(caught.value).splitlines()
    assert len(lines) == SHOWN + 1
    assert lines[-1] == "... and 7 more"


def test_unknown_class_folder_is_refused(tmp_path: Path) -> None:
    """A folder that is no class may be a misspelling, so it is not passed over."""
    pictures(tmp_path, "red/1.png", "Blue/1.png")
    with pytest.raises(ConfigError, match="Blue: the model has no class Blue; its classes are blue, dark red, red"):
        read_answers(tmp_path, ONE)


def test_sub_folders_say_too_little_for_a_multilabel_model(tmp_path: Path) -> None:
    """A folder names one class, so a multi-label model needs a list."""
    pictures(tmp_path, "red/1.png")
    with pytest.raises(ConfigError, match=r"for a multi-label model give answers\.csv"):
        read_answers(tmp_path, MANY)


@pytest.mark.parametrize("given", ["nowhere", "file"])
def test_folder_must_be_one(tmp_path: Path, given: str) -> None:
    """Nothing, or a file, in place of the folder is a wrong argument."""
    pictures(tmp_path, "file")
    with pytest.raises(ConfigError, match="is no folder: --golden takes a folder of pictures with known answers"):
        read_answers(tmp_path / given, ONE)


def test_two_lists_are_one_too_many(tmp_path: Path) -> None:
    """Which of two lists holds would be a guess."""
    pictures(tmp_path, "answers.csv", "answers.jsonl")
    with pytest.raises(ConfigError, match=r"holds answers\.jsonl and answers\.csv: leave one of them"):
        read_answers(tmp_path, ONE)


def test_list_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """A list in another encoding is an error that names the folder, not a crash."""
    (tmp_path / "answers.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="cannot read the known answers in"):
        read_answers(tmp_path, ONE)
