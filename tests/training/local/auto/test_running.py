"""Whole searches, in simulated time."""

import itertools
from dataclasses import replace

import pytest

from tests.training.local.auto.simulated import Clock, SimulatedTrials, Simulation, facts, search, simulation
from training.errors import BudgetError, DataError, DivergenceError, TrainingError
from training.local.auto.budget import finishing, parse_budget
from training.local.auto.portfolio import portfolio
from training.local.auto.search import Search
from training.recipe import Recipe


def stages(found: Search) -> list[tuple[str, str]]:
    return [(trial.candidate, trial.stage) for trial in found.trials]


@pytest.mark.parametrize("budget", [30, 180, 1800, 20_000])
@pytest.mark.parametrize("busy", [0.8, 3.0])
@pytest.mark.parametrize("training", [40, 20_000])
def test_it_always_ends_in_time_with_a_network(budget: int, busy: float, training: int) -> None:
    """Whatever the budget, the number of pictures, and however wrong the measurement was."""
    run = simulation(budget, facts(training), busy=busy)
    try:
        found = run.run()
    except BudgetError:
        assert busy * run.trials.epoch_seconds(run_smallest(run)) > budget / 2
        return
    assert run.trials.clock.now <= budget - finishing(budget) + busy * 100
    assert any(trial.epochs for trial in found.trials)
    assert found.stopped


def run_smallest(run: Simulation) -> Recipe:
    return min(portfolio(run.begun.facts, seed=0), key=lambda one: one.cost).recipe


def test_ten_minutes_are_one_fit_of_the_known_recipe() -> None:
    """One schedule fitted to the time is worth more than two that are half as long."""
    found = simulation(600).run()
    assert stages(found) == [("mobilenetv2-96", "whole")]
    assert found.trials[0].epochs == found.trials[0].planned > 50
    assert found.stopped == "no other whole fit would end in the time left"


def test_with_more_time_others_follow_whole() -> None:
    """Without time to halve, whole fits in the portfolio's order."""
    assert stages(simulation(2400).run())[:2] == [("mobilenetv2-96", "whole"), ("mobilenetv2-96-plain", "whole")]


def test_with_hours_it_halves() -> None:
    """Short fits of all the others, then whole ones of the better half only, in their order, then variations."""
    found = simulation(8 * 3600).run()
    short = [trial for trial in found.trials if trial.stage == "short"]
    after = [trial.candidate for trial in found.trials if trial.number > short[-1].number]
    order = [trial.candidate for trial in sorted(short, key=lambda one: -one.validation["accuracy"])]
    assert found.trials[0].stage == "whole"
    assert len(short) >= 3
    assert after[: len(order) - len(order) // 2] == order[: len(order) - len(order) // 2]
    assert any("-lr" in name or "-long" in name for name in after)


def test_weights_at_hand_are_tuned_first_where_there_is_time() -> None:
    """In hours the best network; in less a smaller one; in minutes the recipe that needs no weights."""
    tuned = {"resnet50": "a.pth", "mobilenetv2": "b.pth"}
    firsts = []
    for budget in (10 * 3600, 1800, 300):
        run = simulation(budget)
        firsts.append(run.run(portfolio(run.begun.facts, seed=0, pretrained=tuned)).trials[0].candidate)
    assert firsts == ["resnet50-224-tuned", "mobilenetv2-224-tuned", "mobilenetv2-96"]


def test_a_slow_machine_gets_what_it_can_do() -> None:
    """Where the known recipe does not come far, a smaller side does."""
    for budget, side in ((60, 64), (24, 32)):
        found = simulation(budget).run()
        assert [trial.candidate for trial in found.trials] == [f"mobilenetv2-{side}"]
        assert found.trials[0].epochs == found.trials[0].planned > 4


def test_a_machine_that_became_busy_is_planned_anew() -> None:
    """A fit that would be cut off is begun anew over fewer epochs, and ends by itself."""
    found = simulation(600, busy=2.5).run()
    assert [trial.how for trial in found.trials] == ["slow", "ended"]
    assert found.trials[1].planned < found.trials[0].planned / 2


def test_no_epoch_fits_and_the_least_is_named() -> None:
    """The error names a budget with which it then works."""
    run = simulation(20, facts(20_000))
    with pytest.raises(BudgetError, match="give --budget") as told:
        run.run()
    least = parse_budget(str(told.value).split("--budget ")[1].split()[0])
    assert simulation(least, facts(20_000)).run().trials[0].epochs >= 1


def test_nothing_wrong_any_more_is_the_end() -> None:
    """Where the best one answers every validation picture rightly, they tell no two apart."""
    found = simulation(36_000, formula=lambda *_: 1.0).run()
    assert len(found.trials) == 1
    assert "no validation picture is answered wrongly" in found.stopped


def test_one_that_diverges_is_passed_over() -> None:
    """It is named with its reason, and the next one is tried."""
    found = simulation(1800, faults={"mobilenetv2-96": DivergenceError("the loss became nan")}).run()
    assert (found.trials[0].how, found.trials[0].fault) == ("failed", "the loss became nan")
    assert found.trials[1].epochs > 0


def test_nothing_succeeds_and_the_reason_is_told() -> None:
    """With every fit failing, the last reason is the error."""
    run = simulation(600)
    run.trials.faults = {
        name: DivergenceError("nan") for name in ("mobilenetv2-96", "mobilenetv2-64", "mobilenetv2-32")
    }
    run.trials.faults |= {
        f"resnet{depth}-{side}": DivergenceError("nan") for depth in (18, 34, 50) for side in (96, 128)
    }
    run.trials.faults |= {f"mobilenetv2-{rest}": DivergenceError("nan") for rest in (128, 160, 224, "96-plain")}
    with pytest.raises(TrainingError, match=r"nothing could be fitted.*nan"):
        run.run()


def test_pictures_that_cannot_be_used_end_it() -> None:
    """What is not the recipe's fault is not passed over."""
    with pytest.raises(DataError, match="unreadable"):
        simulation(600, faults={"mobilenetv2-96": DataError("unreadable")}).run()


def test_asked_to_end_it_keeps_the_best_so_far() -> None:
    """It ends within the step, and says so."""
    run = simulation(1800)
    run.asked = lambda: run.trials.clock.now > 200
    found = run.run()
    assert run.trials.clock.now < 202
    assert (found.trials[-1].how, found.stopped) == ("asked", "it was asked to end")
    assert 0 < found.trials[-1].epochs < found.trials[-1].planned


def test_asked_before_an_epoch_is_done_it_is_interrupted() -> None:
    """There is nothing to keep then, and the same command begins again."""
    run = simulation(1800)
    run.asked = lambda: run.trials.clock.now > 5
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert run.kept[-1].stopped == ""


@pytest.mark.parametrize("moment", range(0, 60, 7))
def test_killed_at_any_moment_it_goes_on(moment: int) -> None:
    """From what was kept last: the trial under way goes on, nothing is measured twice, and the time used counts."""
    whole = simulation(1800)
    whole.run()
    kept = whole.kept[min(moment, len(whole.kept) - 1)]
    clock = Clock()
    again = Simulation(kept, SimulatedTrials(clock, kept.facts.training))
    found = again.run()
    assert kept.spent + clock.now <= 1800
    assert [trial.number for trial in found.trials] == list(range(1, len(found.trials) + 1))
    measured = [line for line in again.shown.lines if line.startswith("measuring")]
    assert not [line for line in measured if line.removeprefix("measuring ") in kept.speeds]
    if under_way := kept.under_way:
        assert again.trials.begun[0] == under_way.folder


def test_more_time_goes_on() -> None:
    """A search whose time was up goes on with a larger budget."""
    found = simulation(600).run()
    longer = replace(found, request=replace(found.request, budget=3600), stopped="")
    more = Simulation(longer, SimulatedTrials(Clock(), 840)).run()
    assert more.trials[: len(found.trials)] == found.trials
    assert len(more.trials) > len(found.trials)


def test_the_time_used_is_kept_within_an_epoch() -> None:
    """So that a kill in a long epoch is no free time."""
    run = simulation(3600, facts(20_000))
    run.run()
    assert max(after.spent - before.spent for before, after in itertools.pairwise(run.kept)) < 60


def test_the_search_begins_with_nothing() -> None:
    """No time is used and nothing is tried."""
    assert (search(60).spent, search(60).trials, search(60).stopped) == (0.0, (), "")
