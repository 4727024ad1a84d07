"""What a device remembers about its models, as tables of before and after."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import ModelNotFoundError
from edge.ports import Candidate
from edge.registry.state import (
    EARLIER,
    JUDGED,
    SKIPPED,
    Judged,
    Kept,
    State,
    activated,
    judged,
    parse_state,
    rolled_back,
    state_json,
    wanted,
)

A, B, C, D = (Kept("parts", str(number), f"{number}" * 64) for number in range(1, 5))

ACTIVATED: list[tuple[str, State, Kept, State]] = [
    ("the first", State(), A, State(current=A)),
    ("a newer one", State(current=A), B, State(current=B, earlier=(A,))),
    ("the present one again", State(current=A, earlier=(B,)), A, State(current=A, earlier=(B,))),
    ("an earlier one", State(current=B, earlier=(A,)), A, State(current=A, earlier=(B,))),
    ("more than are kept", State(current=C, earlier=(B, A)), D, State(current=D, earlier=(C, B))),
    ("one left before", State(current=A, skipped=(B.digest,)), B, State(current=B, earlier=(A,))),
    ("others stay left", State(current=A, skipped=(C.digest,)), B, State(B, (A,), skipped=(C.digest,))),
]


@pytest.mark.parametrize(("before", "kept", "after"), [c[1:] for c in ACTIVATED], ids=[c[0] for c in ACTIVATED])
def test_activating(before: State, kept: Kept, after: State) -> None:
    """The new one serves, the old one is the previous, and having been left by a rollback is forgotten."""
    assert activated(before, kept, pinned=False) == after


def test_pinning() -> None:
    """Activating the present version can pin it, and let it go again."""
    pinned = activated(State(current=A), A, pinned=True)
    assert pinned == State(current=A, pinned=True)
    assert activated(pinned, A, pinned=False) == State(current=A)


ROLLED_BACK: list[tuple[str, State, State]] = [
    ("one step", State(current=B, earlier=(A,)), State(current=A, skipped=(B.digest,))),
    ("further back", State(B, (A,), skipped=(C.digest,)), State(A, skipped=(C.digest, B.digest))),
    ("from a pinned one", State(current=A, earlier=(B,), pinned=True), State(current=B, skipped=(A.digest,))),
    ("to one left before", State(C, (B,), skipped=(B.digest,)), State(current=B, skipped=(C.digest,))),
]


@pytest.mark.parametrize(("before", "after"), [c[1:] for c in ROLLED_BACK], ids=[c[0] for c in ROLLED_BACK])
def test_rolling_back(before: State, after: State) -> None:
    """The previous one serves again and the one left is not taken again by itself."""
    assert rolled_back(before) == after


@pytest.mark.parametrize("state", [State(), State(current=A)])
def test_rolling_back_without_a_previous_version_is_refused(state: State) -> None:
    """There is nothing to go back to on a new device."""
    with pytest.raises(ModelNotFoundError, match="no previous version"):
        rolled_back(state)


def test_rollbacks_in_a_row_walk_into_the_past() -> None:
    """Asking twice goes back two versions, not back and forth."""
    state = rolled_back(rolled_back(State(current=C, earlier=(B, A))))
    assert state == State(current=A, skipped=(C.digest, B.digest))


def candidate(kept: Kept) -> Candidate:
    return Candidate(kept.name, kept.version, datetime(2026, 1, 1, tzinfo=UTC), kept.digest)


def test_wanted_is_the_newest_that_was_not_left() -> None:
    """Following skips what a rollback left, and takes a version that replaced it under a new digest."""
    replaced = Kept(C.name, C.version, "c" * 64)
    state = State(current=B, skipped=(C.digest,))
    assert wanted(state, [candidate(C), candidate(B), candidate(A)]) == candidate(B)
    assert wanted(state, [candidate(replaced), candidate(C)]) == candidate(replaced)
    assert wanted(state, [candidate(C)]) is None
    assert wanted(state, []) is None


REJECTED = Judged(B.digest, "rejected", "agreement 0.1", "2026-01-02T03:04:05.000Z", {"frames": 10, "agreement": None})


def test_a_judgement_is_remembered_with_its_figures() -> None:
    """It outlives a restart, and what came after."""
    state = judged(activated(State(current=A), C, pinned=False), REJECTED)
    assert parse_state(state_json(state)) == state
    assert parse_state(state_json(rolled_back(state))).judgement(B.digest) == REJECTED
    assert state.judgement(C.digest) is None


@pytest.mark.parametrize(("outcome", "taken"), [("rejected", A), ("passed", A), ("promoted", B), ("rolled-back", B)])
def test_what_a_trial_kept_out_is_not_wanted(outcome: str, taken: Kept) -> None:
    """Neither a version that did not hold the gate nor one that waits for a person."""
    state = judged(State(), Judged(B.digest, outcome, "a reason"))
    assert wanted(state, [candidate(B), candidate(A)]) == candidate(taken)


def test_the_newest_judgement_counts() -> None:
    """One for a digest, and not more than are of use."""
    state = judged(judged(State(), REJECTED), Judged(B.digest, "promoted", "better now"))
    assert [one.outcome for one in state.judged] == ["promoted"]
    for number in range(JUDGED + 10):
        state = judged(state, Judged(f"{number:064}", "rejected", "no"))
    assert len(state.judged) == JUDGED
    assert state.judged[-1].digest == f"{JUDGED + 9:064}"


def test_ages_outlive_a_restart() -> None:
    """When a version was made, as its registry says; what is no instant is damage."""
    made = replace(A, created_at=datetime(2026, 3, 1, 12, tzinfo=UTC))
    state = parse_state(state_json(State(current=made, earlier=(B,))))
    assert state.current is not None
    assert state.current.created_at == made.created_at
    assert state.earlier[0].created_at is None
    with pytest.raises(ValueError, match="not an instant"):
        parse_state(state_json(State(current=made)).replace(b"+00:00", b""))


def test_a_state_from_before_is_read() -> None:
    """Without judgements, and with judgements that have neither time nor figures."""
    assert parse_state(state_json(State(current=A)).replace(b',\n  "judged": []', b"")) == State(current=A)
    bare = b'"judged": [{"digest": "d", "outcome": "passed", "reason": ""}]'
    assert parse_state(state_json(State()).replace(b'"judged": []', bare)).judged == (Judged("d", "passed", ""),)


kepts = st.sampled_from([A, B, C, D])
steps = st.lists(st.one_of(st.tuples(kepts, st.booleans()), st.none()), max_size=150)


@given(steps)
def test_any_history_keeps_its_promises(steps: list[tuple[Kept, bool] | None]) -> None:
    """Whatever happens: the current is never among the earlier, nothing is kept twice, and the lists stay short."""
    state = State()
    for step in steps:
        if step is not None:
            state = activated(state, step[0], pinned=step[1])
        elif state.previous is not None:
            state = rolled_back(state)
        assert state.current not in state.earlier
        assert len(set(state.earlier)) == len(state.earlier) <= EARLIER
        assert len(set(state.skipped)) == len(state.skipped) <= SKIPPED
        assert state.current is None or state.current.digest not in state.skipped
        assert len(state.kept) <= EARLIER + 1
        assert parse_state(state_json(state)) == state


DAMAGED = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff",
    b"[" * 100_000,
    b'{"schema": "automl-edge/state/2", "pinned": false}',
    state_json(State(current=A)).replace(b'"parts"', b'"../../etc"'),
    state_json(State(current=A)).replace(b'"parts"', b"7"),
    state_json(State(current=A)).replace(b"false", b'"no"'),
    state_json(State(current=A)).replace(b'"earlier": []', b'"earlier": [3]'),
    state_json(State(current=A)).replace(b'"earlier": []', b'"earlier": null'),
    state_json(State()).replace(b'"judged": []', b'"judged": [3]'),
    state_json(State()).replace(b'"judged": []', b'"judged": null'),
    state_json(judged(State(), REJECTED)).replace(b'"rejected"', b"3"),
    state_json(judged(State(), REJECTED)).replace(b'"frames": 10', b'"frames": "ten"'),
    state_json(judged(State(), REJECTED)).replace(b'"2026-01-02T03:04:05.000Z"', b"null"),
]


@pytest.mark.parametrize("data", DAMAGED)
def test_damaged_state_is_told_from_a_sound_one(data: bytes) -> None:
    """Cut-off, foreign or tampered text is refused, paths that lead elsewhere included."""
    with pytest.raises(ValueError):  # noqa: PT011 - the store adds file and remedy to whatever the reason is
        parse_state(data)


@given(st.binary(max_size=100))
def test_no_bytes_bring_the_reader_down(data: bytes) -> None:
    """Whatever the file holds, it is a state or a ValueError."""
    with pytest.raises(ValueError):  # noqa: PT011 - the store adds file and remedy to whatever the reason is
        parse_state(data)
