"""Which version is wanted: by age, and where somebody chose by stage or tag, what was chosen."""

from datetime import timedelta

import pytest

from edge.ports import Candidate, Survey
from edge.registry.state import State
from edge.rollout.choice import InService, Wish, choose, is_older
from tests.fakes import CREATED_AT


def version(number: int) -> Candidate:
    return Candidate("colours", str(number), CREATED_AT + timedelta(days=number), f"digest-{number}")


def chosen(
    *numbers: int,
    serving: int = 2,
    exact: bool = True,
    state: State = State(),
    refused: tuple[str, ...] = (),
    failed: int | None = None,
) -> str | None:
    survey = Survey(tuple(map(version, numbers)), dict.fromkeys(refused, "half a file"), exact)
    one = version(serving)
    in_service = InService(one.digest, one.created_at)
    found = choose(survey, Wish("colours"), state, in_service, is_refused=lambda c: c.version == str(failed))
    return found.version if found else None


def test_where_promotion_moves_back_so_does_the_device() -> None:
    """The newest version that has the stage is wanted, though an older one than what serves."""
    assert chosen(1) == "1"
    assert chosen(3, 1) == "3"
    assert chosen(2, 1) is None


def test_removal_is_no_reason_to_go_back() -> None:
    """Where nobody chose, an older version is not taken."""
    assert chosen(1, exact=False) is None


def test_only_the_newest_that_was_chosen_is_gone_back_to() -> None:
    """One that was left by a rollback, or failed here, gives no way to something still older."""
    assert chosen(3, 1, state=State(skipped=("digest-3",))) is None
    assert chosen(3, 1, failed=3) is None
    assert chosen(4, 3, 1, failed=4) == "3"


@pytest.mark.parametrize(("refused", "expected"), [("colours/2", None), ("colours/10", None), ("colours/0", "1")])
def test_what_cannot_be_read_may_be_what_is_wanted(refused: str, expected: str | None) -> None:
    """While a version above it is refused, nothing goes back: the registry may have half a file of what serves."""
    assert chosen(1, refused=(refused,)) == expected


def test_nothing_chosen_changes_nothing() -> None:
    """Where no version has the stage any more, what serves goes on."""
    assert chosen() is None


def test_age_is_that_of_the_bundle() -> None:
    """Going back means an older one than what serves; without anything in service there is no back."""
    assert is_older(version(1), InService("digest-2", version(2).created_at))
    assert not is_older(version(3), InService("digest-2", version(2).created_at))
    assert not is_older(version(1), None)
