"""The port of trials: the trainer's own, and the simulated ones that the other tests believe in."""

from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from tests.training.local.auto.simulated import Clock, SimulatedTrials  # noqa: E402 - torch may be absent
from tests.training.local.tiny import draw, multi_class, recipe  # noqa: E402 - as above
from training.dataset.parts import Shares  # noqa: E402 - as above
from training.local.auto.facts import Parts, facts_of, part  # noqa: E402 - as above
from training.local.auto.running import Trials  # noqa: E402 - as above
from training.local.auto.trials import LocalTrials, quickest_threads  # noqa: E402 - as above
from training.local.run import Epoch  # noqa: E402 - as above

Make = Callable[[], Trials]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    return part(multi_class(draw(tmp_path_factory.mktemp("data"), 36)), Shares(0.2, 0.1, 0))


@pytest.fixture(params=["real", "simulated"])
def make(request: pytest.FixtureRequest, parts: Parts, tmp_path: Path) -> Make:
    def made() -> Trials:
        if request.param == "simulated":
            return SimulatedTrials(Clock(), len(parts.training.records))
        return LocalTrials(parts, tmp_path, threads=1, device="cpu", say=lambda _: None)

    return made


def always(_: object) -> bool:
    return True


def heard(epochs: list[Epoch]) -> Callable[[Epoch], bool]:
    def hear(epoch: Epoch) -> bool:
        epochs.append(epoch)
        return True

    return hear


def test_a_measurement_is_of_the_whole(make: Make) -> None:
    """Of all the pictures, not of the few that it was made with."""
    start, epoch = make().measure(recipe())
    assert start > 0
    assert epoch > 0


def test_a_fit_tells_of_every_epoch_and_how_far_it_is(make: Make) -> None:
    """Epochs come in order, with the primary metric; the share that is done grows to one."""
    epochs: list[Epoch] = []
    shares: list[float] = []

    def going(share: float) -> bool:
        shares.append(share)
        return True

    fitted = make().fit("01-a", recipe(), going, heard(epochs))
    assert fitted is not None
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3]
    assert fitted.best in epochs
    assert all(0 <= epoch.validation["accuracy"] <= 1 for epoch in epochs)
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_a_fit_ends_at_the_step_where_it_is_asked_to(make: Make) -> None:
    """What is done of it counts; before the first epoch that is nothing."""
    assert make().fit("01-a", recipe(), lambda _: False, always) is None
    fitted = make().fit("02-a", recipe(), lambda share: share < 0.6, always)
    assert fitted is not None
    assert [epoch.epoch for epoch in fitted.epochs] == [1]


def test_a_fit_ends_after_the_epoch_where_it_is_asked_to(make: Make) -> None:
    """The epoch counts."""
    fitted = make().fit("01-a", recipe(), always, lambda epoch: epoch.epoch < 2)
    assert fitted is not None
    assert fitted.epochs[-1].epoch == 2


def test_a_fit_that_was_killed_goes_on(parts: Parts, tmp_path: Path) -> None:
    """The epochs before the kill are told again, and not done again."""

    def killed(epoch: Epoch) -> bool:
        if epoch.epoch == 2:
            raise KeyboardInterrupt
        return True

    trials = LocalTrials(parts, tmp_path, threads=1, device="cpu", say=lambda _: None)
    with pytest.raises(KeyboardInterrupt):
        trials.fit("01-a", recipe(), always, killed)
    epochs: list[Epoch] = []
    said: list[str] = []
    again = LocalTrials(parts, tmp_path, threads=1, device="cpu", say=said.append)
    again.fit("01-a", recipe(), always, heard(epochs))
    assert [epoch.epoch for epoch in epochs] == [1, 2, 3]
    assert any("going on after epoch" in line for line in said)


def test_each_validation_picture_is_answered_rightly_or_not(parts: Parts, tmp_path: Path) -> None:
    """As many answers as validation pictures, by the best weights."""
    trials = LocalTrials(parts, tmp_path, threads=1, device="cpu", say=lambda _: None)
    fitted = trials.fit("01-a", recipe(), always, always)
    assert fitted is not None
    right = trials.right("01-a")
    assert len(right) == len(parts.validation.records)
    assert sum(right) / len(right) == pytest.approx(fitted.best.validation["accuracy"])


@pytest.mark.parametrize(
    ("steps", "threads"),
    [({2: 1.0, 1: 1.8}, 2), ({2: 4.6, 1: 0.45}, 1), ({2: 1.0, 1: 0.9}, 2), ({8: 3, 4: 1, 1: 1}, 4)],
)
def test_fewer_threads_only_where_they_are_much_quicker(steps: dict[int, float], threads: int) -> None:
    """Threads of a busy machine wait for each other; what is a little quicker once may be chance."""
    assert quickest_threads(steps) == threads


def test_facts_are_of_the_pictures_trained_on(parts: Parts) -> None:
    """Their number, by class too, and their size."""
    facts = facts_of(parts)
    assert (facts.training, facts.validation, facts.test) == (24, 6, 6)
    assert (facts.side, facts.shape, facts.fewest, facts.uneven) == (32, 1.0, 4, 1.0)
