"""Which recipes are worth trying on some pictures, best first. Pure.

The preset ``scratch``, a small network at a small side with AdamW and a cosine that ends at zero, has done best soonest
on small industrial data; larger sides, larger networks and other rates follow while there is time, in an order that was
not compared. Weights that were trained before, where they are at hand, come first, at the side they were trained at.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from training.hyperparameters import Value
from training.local.auto.facts import UNEVEN, Facts
from training.recipe import NO_WEIGHTS, PRESETS, Recipe
from training.settings import default_settings

SCRATCH = PRESETS["scratch"]
TUNED: Mapping[str, float] = {"resnet50": 3e-4, "mobilenetv2": 1e-3, "resnet18": 3e-4, "vits16r224": 1e-4}
"""What is fine-tuned where there are weights for it, best first, and its learning rate."""
STEP_PX = 32
"""Networks halve a picture five times: sides are multiples of this."""
BASE_PX, BASE_BATCH, BASE_RATE = 96, 32, 3e-3
"""The preset's side, batch and learning rate."""
FULL_STEPS, TUNING_STEPS = 2100, 800
"""Steps of a whole fit: from scratch, as 56 epochs of 1,200 pictures; from weights that were trained before."""
FEWEST_EPOCHS, MOST_EPOCHS = 10, 120
LEAST, LEAST_TUNED, LEAST_SPARE = 0.15, 0.5, 0.05
"""Fine-tuning must be worth it, and what is even smaller than a spare one hardly sees anything."""
CHECKPOINT_S = 5.0
"""About how much of a fit is lost by a kill, at most."""
FEW_PICTURES = 50
"""Below so many pictures of a class, large networks only learn them by heart."""
LARGE_PX = 400
"""From this side on, small faults are lost at the usual side: larger ones are tried sooner."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recipe with the number of epochs that a whole fit of it takes. ``spare``: only where the others are too slow.

    ``cost`` is a guess of how long a step takes, by that of MobileNetV2 at the base side; it decides only what is not
    even measured. ``like`` is the candidate by whose measured speed it goes. Where less than the share ``least`` of its
    epochs fits, a faster one comes first instead.
    """

    name: str
    recipe: Recipe
    why: str
    cost: float
    like: str
    least: float = LEAST
    spare: bool = False

    @property
    def epochs(self) -> int:
        """Return how many epochs a whole fit takes."""
        return self.recipe.settings.number_of_epochs


def with_epochs(recipe: Recipe, epochs: int, epoch_seconds: float = CHECKPOINT_S) -> Recipe:
    """Return the recipe over another number of epochs: its schedule is fitted to them, not cut off.

    ``epoch_seconds`` is how long one takes: short ones are not all written down.
    """
    changed = replace(
        recipe.settings,
        number_of_epochs=epochs,
        warmup_cosine_lr_warmup_epochs=min(recipe.settings.warmup_cosine_lr_warmup_epochs, epochs // 4),
        checkpoint_frequency=max(1, round(CHECKPOINT_S / epoch_seconds)),
    )
    return replace(recipe, settings=changed)


def portfolio(facts: Facts, *, seed: int, pretrained: Mapping[str, str] | None = None) -> tuple[Candidate, ...]:
    """Return the candidates for these pictures, best first, names unique.

    ``pretrained`` says for networks, by name, where weights for them are.
    """
    made = _Maker(facts, seed)
    found = {
        candidate.name: candidate for candidate in (*made.tuned(pretrained or {}), *made.scratch(), *made.spares())
    }
    return tuple(found.values())


def variations(leader: Candidate) -> Iterator[Candidate]:
    """Yield what is tried of the best one once everything else has been: other rates, and longer."""
    settings = leader.recipe.settings
    for factor, words in ((0.5, "half its rate"), (2.0, "twice its rate")):
        rate = settings.learning_rate * factor
        if rate <= 1:
            recipe = replace(leader.recipe, settings=replace(settings, learning_rate=rate))
            yield replace(leader, name=f"{leader.name}-lr{rate:g}", recipe=recipe, why=f"the best so far at {words}")
    longer = with_epochs(leader.recipe, 2 * leader.epochs)
    yield replace(leader, name=f"{leader.name}-long", recipe=longer, why="the best so far, for twice as long")


@dataclass(frozen=True, slots=True)
class _Maker:
    facts: Facts
    seed: int

    def tuned(self, pretrained: Mapping[str, str]) -> Iterator[Candidate]:
        """Yield what begins with weights that were trained before."""
        for model, rate in TUNED.items():
            if model in pretrained:
                found = self.candidate(model, 224, "begins with what others have learnt", rate, pretrained[model])
                yield replace(found, least=LEAST_TUNED)

    def scratch(self) -> Iterator[Candidate]:
        """Yield what begins from nothing."""
        base = min(BASE_PX, self.largest)
        sides = [side for side in (128, 160, 224) if side <= self.largest]
        if self.facts.side >= LARGE_PX:
            sides.reverse()
        yield self.candidate("mobilenetv2", base, "does best soonest on small industrial data")
        yield self.plain(self.candidate("mobilenetv2", base, "sees how bright a part is"))
        yield from (self.candidate("mobilenetv2", side, "sees finer detail") for side in sides[:1])
        yield self.candidate("resnet18", base, "another kind of network", 1e-3)
        yield from (self.candidate("mobilenetv2", side, "sees finer detail") for side in sides[1:])
        yield from (self.candidate("resnet18", side, "another network, finer detail", 1e-3) for side in sides[:1])
        if self.facts.fewest >= FEW_PICTURES:
            for model in ("resnet34", "resnet50"):
                yield from (self.candidate(model, side, "a larger network", 1e-3) for side in sides[:1])

    def spares(self) -> Iterator[Candidate]:
        """Yield what is faster, for a machine or a budget on which nothing better can be trained."""
        for side in (64, 32):
            if side < min(BASE_PX, self.largest):
                found = self.candidate("mobilenetv2", side, "what this time allows")
                yield replace(found, spare=True, least=LEAST_SPARE)

    @property
    def largest(self) -> int:
        """The largest side: the pictures' own, rounded up."""
        return STEP_PX * max(1, math.ceil(self.facts.side / STEP_PX))

    @staticmethod
    def plain(candidate: Candidate) -> Candidate:
        recipe = replace(candidate.recipe, standardised=False)
        return replace(candidate, name=f"{candidate.name}-plain", recipe=recipe)

    def candidate(
        self, model: str, side: int, why: str, rate: float = BASE_RATE, pretrained: str = NO_WEIGHTS
    ) -> Candidate:
        """Return a candidate with the settings that suit the pictures."""
        recipe = Recipe(
            model=model,
            settings=default_settings(
                model, self.facts.task, self.settings(side, rate, tuned=pretrained != NO_WEIGHTS)
            ),
            task=self.facts.task,
            pretrained=pretrained,
            mirrored=SCRATCH.mirrored,
            standardised=SCRATCH.standardised and pretrained == NO_WEIGHTS,  # others have learnt from plain pictures
        )
        tuned = "-tuned" if pretrained != NO_WEIGHTS else ""
        name = f"{model}-{side}{tuned}"
        return Candidate(name, recipe, why, COSTS[model](side), like=name)

    def settings(self, side: int, rate: float, *, tuned: bool) -> dict[str, Value]:
        batch = min(BASE_BATCH, max(2, self.facts.training // 4))
        steps = max(1, self.facts.training // batch)
        epochs = (TUNING_STEPS if tuned else FULL_STEPS) / steps
        return {
            **SCRATCH.settings,
            "number_of_epochs": round(min(max(epochs, FEWEST_EPOCHS), MOST_EPOCHS)),
            "training_batch_size": batch,
            "learning_rate": rate,
            "weighted_loss": int(self.facts.uneven >= UNEVEN),
            "validation_resize_size": side,
            "validation_crop_size": side,
            "training_crop_size": side,
            "random_seed": self.seed,
        }


def _area(side: int) -> float:
    return (side / BASE_PX) ** 2


COSTS: Mapping[str, Callable[[int], float]] = {
    "mobilenetv2": _area,
    "resnet18": lambda side: 0.4 + 0.5 * _area(side),
    "resnet34": lambda side: 0.6 + 0.9 * _area(side),
    "resnet50": lambda side: 0.8 + 2.0 * _area(side),
    "vits16r224": lambda side: 2.5 * _area(side),
}
"""How long a step takes on a processor, by that of MobileNetV2 at the base side; roughly, as seen."""
