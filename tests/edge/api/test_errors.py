"""Every error has one status, a title and a place in the tree that errors.py draws."""

import pytest

from edge import errors
from edge.api.errors import STATUS, TITLE, error_of, problem_of, status_of, without_folders
from edge.errors import EdgeError, OverloadedError
from edge.results import Failure
from tests.edge.api.conftest import Ask
from tests.edge.api.fakes import FakeControl, failing


def tree(root: type[EdgeError] = EdgeError) -> list[type[EdgeError]]:
    return [
        root,
        *(below for kind in root.__subclasses__() if kind.__module__ == "edge.errors" for below in tree(kind)),
    ]


@pytest.mark.parametrize("kind", tree())
def test_every_error_has_a_status_a_title_and_a_place_in_the_drawn_tree(kind: type[EdgeError]) -> None:
    """A new error class fails here until someone has decided what it means in HTTP and drawn it."""
    assert kind in STATUS
    assert kind in TITLE
    assert kind.__name__ in (errors.__doc__ or "").split()


def test_nothing_else_stands_in_the_table() -> None:
    """The table names our errors only."""
    assert set(STATUS) == set(TITLE) == set(tree())


def test_an_error_becomes_a_problem_document() -> None:
    """Type, title, status and detail as RFC 9457 asks."""
    answer = problem_of(errors.ImageDecodeError("the file is cut off"))
    assert answer.status_code == 400
    assert answer.media_type == "application/problem+json"
    assert answer.body == (
        b'{"type":"urn:automl-edge:error:ImageDecodeError","title":"Not a picture, or only part of one","status":400,'
        b'"detail":"the file is cut off"}'
    )


@pytest.mark.parametrize(("seconds", "header"), [(0.2, "1"), (1.0, "1"), (2.1, "3")])
def test_overload_tells_when_to_come_back(seconds: float, header: str) -> None:
    """Retry-After is whole seconds, rounded up, at least one."""
    assert problem_of(OverloadedError("full", retry_after_s=seconds)).headers["retry-after"] == header


@pytest.mark.parametrize("kind", tree())
def test_a_failed_pictures_kind_leads_back_to_its_error(kind: type[EdgeError]) -> None:
    """The class name in a Failure is enough to answer a lone picture with the right status."""
    assert status_of(error_of(Failure(kind.__name__, "x"))) == STATUS[kind]


def test_an_unknown_kind_counts_as_a_fault_of_ours() -> None:
    """A Failure of a kind that no error has is answered with 500."""
    assert status_of(error_of(Failure("Strange", "x"))) == 500


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/var/lib/edge/models/metal/2/model.onnx has 5 bytes", "model.onnx has 5 bytes"),
        ("cannot read '/srv/a b/labels.json': denied", "cannot read 'a b/labels.json': denied"),
        ("models/metal/2 is broken", "models/metal/2 is broken"),
        ("cannot reach https://models.example/a/b", "cannot reach https://models.example/a/b"),
        ("5 of 10 images/s", "5 of 10 images/s"),
    ],
)
def test_an_answer_names_files_but_no_folder_of_this_machine(text: str, shown: str) -> None:
    """Absolute paths lose their folders; relative ones and addresses stay."""
    assert without_folders(text) == shown


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.OverloadedError("full"), 503),
        (errors.DeadlineError("late"), 503),
        (errors.StoppingError("stopping"), 503),
        (errors.ModelNotReadyError("none"), 503),
        (errors.InferenceError("it broke"), 500),
        (errors.ImageTooLargeError("50000 x 50000"), 413),
        (ValueError("a bug"), 500),
    ],
)
def test_what_the_execution_raises_is_answered(ask: Ask, error: Exception, status: int) -> None:
    """Each error of the work gives its status as a problem document; a bug gives no detail of itself."""
    answer = ask("POST", "/v1/predict", content=b"x", parts={"submit": failing(error)})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text
    assert "a bug" not in answer.text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.ModelInvalidError("/srv/models/metal/2/model.onnx does not have the SHA-256 in the manifest"), 422),
        (errors.ModelUnsupportedError("detection"), 422),
        (errors.DeviceError("no GPU"), 503),
        (errors.RegistryError("away"), 503),
        (errors.StoreError("disk full"), 503),
    ],
)
def test_a_refused_activation_tells_why(ask: Ask, control: FakeControl, error: EdgeError, status: int) -> None:
    """The reason reaches the client, without folders of the machine."""
    control.error = error
    answer = ask("POST", "/v1/models/metal/activate", json={"version": "2"})
    assert answer.status_code == status
    assert "/srv" not in answer.json()["detail"]
    assert control.current == "1"
