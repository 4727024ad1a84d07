"""Which recipes are worth trying."""

import pytest

from tests.training.local.auto.simulated import facts
from training.dataset.annotations import MULTILABEL
from training.local.auto.portfolio import portfolio, variations, with_epochs
from training.recipe import PRESETS


def test_the_known_good_recipe_comes_first() -> None:
    """It is the preset for fits from scratch, with as many epochs as give the same number of steps."""
    first = portfolio(facts(), seed=0)[0]
    preset = {**PRESETS["scratch"].settings, "number_of_epochs": first.epochs}
    assert first.name == "mobilenetv2-96"
    assert (first.recipe.mirrored, first.recipe.standardised) == (True, True)
    assert {name: value for name, value in first.recipe.settings.as_dict().items() if name in preset} == preset


@pytest.mark.parametrize(("training", "epochs"), [(60, 120), (1200, 57), (100_000, 10)])
def test_fewer_pictures_are_seen_more_often(training: int, epochs: int) -> None:
    """What counts is the number of steps, within bounds."""
    assert portfolio(facts(training), seed=0)[0].epochs == epochs


@pytest.mark.parametrize(("side", "largest"), [(20, 32), (100, 128), (200, 224), (4000, 224)])
def test_pictures_are_hardly_enlarged(side: int, largest: int) -> None:
    """No side is more than rounding above the pictures' own."""
    assert max(one.recipe.settings.training_crop_size for one in portfolio(facts(side=side), seed=0)) == largest


def test_large_pictures_are_looked_at_closely_sooner() -> None:
    """Of pictures from 400 px on, the next side is the largest."""
    assert portfolio(facts(side=200), seed=0)[2].name == "mobilenetv2-128"
    assert portfolio(facts(side=1000), seed=0)[2].name == "mobilenetv2-224"


def test_few_pictures_a_class_want_small_networks() -> None:
    """Below fifty of a class there are no large networks among the candidates."""
    few, many = (portfolio(facts(count), seed=0) for count in (120, 1200))
    assert {one.recipe.model for one in few} == {"mobilenetv2", "resnet18"}
    assert {one.recipe.model for one in many} >= {"resnet34", "resnet50"}


def test_uneven_classes_are_weighed() -> None:
    """With three times as many pictures of one class as of another, the loss weighs them."""
    even, uneven = (portfolio(facts(counts=counts), seed=0)[0] for counts in ({"a": 9, "b": 4}, {"a": 9, "b": 3}))
    assert (even.recipe.settings.weighted_loss, uneven.recipe.settings.weighted_loss) == (0, 1)


@pytest.mark.parametrize("training", [2, 7, 100])
@pytest.mark.parametrize("side", [8, 96, 333])
def test_names_are_unique_and_recipes_allowed(training: int, side: int) -> None:
    """Whatever the pictures are like, also where they show several labels each."""
    known = facts(training, side, task=MULTILABEL, counts={"a": 1, "b": training})
    names = [one.name for one in portfolio(known, seed=3)]
    assert len(set(names)) == len(names)
    assert all(one.recipe.settings.random_seed == 3 for one in portfolio(known, seed=3))


def test_weights_at_hand_come_first() -> None:
    """Fine-tuning at the side that the weights were trained at, over fewer epochs."""
    first = portfolio(facts(), seed=0, pretrained={"resnet18": "weights.safetensors"})[0]
    assert first.name == "resnet18-224-tuned"
    assert first.recipe.pretrained == "weights.safetensors"
    assert not first.recipe.standardised
    assert first.epochs < portfolio(facts(), seed=0)[0].epochs


def test_variations_are_of_the_best() -> None:
    """Other rates, and twice as long; each is measured by the one that it varies."""
    leader = portfolio(facts(), seed=0)[0]
    found = list(variations(leader))
    assert [one.name for one in found] == [
        "mobilenetv2-96-lr0.0015",
        "mobilenetv2-96-lr0.006",
        "mobilenetv2-96-long",
    ]
    assert {one.like for one in found} == {leader.name}
    assert found[2].epochs == 2 * leader.epochs


def test_a_short_schedule_ends_at_zero_too() -> None:
    """Of a single epoch nothing is spent on warming up; short epochs are not all written down."""
    settings = with_epochs(portfolio(facts(), seed=0)[0].recipe, 1, epoch_seconds=0.5).settings
    assert (settings.number_of_epochs, settings.warmup_cosine_lr_warmup_epochs) == (1, 0)
    assert settings.checkpoint_frequency == 10
