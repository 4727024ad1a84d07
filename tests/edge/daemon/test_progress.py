"""Whether parts get on: counters that should rise, threads that should live."""

import logging

import pytest

from edge.daemon.progress import Lives, Progress, Pulse, Turns


class Part:
    """A part on a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.turns = self.asked = 0
        self.due = True

    def ask(self) -> None:
        self.asked += 1

    def sign(self, *, limit_s: float = 5.0) -> Turns:
        return Turns(
            "belt", lambda: self.turns, limit_s=limit_s, due=lambda: self.due, ask=self.ask, clock=lambda: self.now
        )

    def pass_by(self, seconds: int, sign: Turns) -> str | None:
        """Look once a second; return what the last look said."""
        said = None
        for _ in range(seconds):
            self.now += 1.0
            said = sign.look()
        return said


def test_a_part_that_makes_no_turn_is_stuck() -> None:
    """Once the limit is over, not before; its next turn clears it."""
    part = Part()
    sign = part.sign()
    assert part.pass_by(5, sign) is None
    assert part.pass_by(1, sign) == "nothing has moved for 6 s"
    part.turns += 1
    assert part.pass_by(1, sign) is None
    assert part.asked == 7


def test_a_part_with_nothing_to_do_is_not_stuck() -> None:
    """The limit counts from the moment on when there was something."""
    part = Part()
    part.due = False
    sign = part.sign()
    assert part.pass_by(60, sign) is None
    part.due = True
    assert part.pass_by(5, sign) is None
    assert part.pass_by(1, sign) is not None


def test_a_machine_that_slept_is_no_fault_of_its_parts() -> None:
    """Hours between two looks count as two seconds."""
    part = Part()
    sign = part.sign()
    part.now += 36_000
    assert sign.look() is None


def test_what_is_stuck_is_logged_once_and_shown(caplog: pytest.LogCaptureFixture) -> None:
    """With its reason, and once more when it moves again."""
    caplog.set_level(logging.INFO)
    alive = [False]
    progress = Progress([Lives("source line", lambda: alive[0]), Lives("http", lambda: True)])
    assert progress.status() == {"moving": True, "stuck": []}
    assert [progress.look(), progress.look()] == [False, False]
    assert progress.status() == {
        "moving": False,
        "stuck": [{"part": "source line", "reason": "its thread has ended"}],
    }
    alive[0] = True
    assert progress.look()
    assert [record.message for record in caplog.records] == ["a part is stuck", "a part moves again"]


def test_a_long_download_that_gets_on_is_not_stuck() -> None:
    """A sign of life now and then is enough, however long it takes altogether."""
    part, pulse = Part(), Pulse()
    sign = Turns("rollout", lambda: part.turns + pulse.beats, limit_s=5.0, clock=lambda: part.now)
    for _ in range(100):
        pulse.beat()
        assert part.pass_by(4, sign) is None
    assert part.pass_by(3, sign) == "nothing has moved for 6 s"
