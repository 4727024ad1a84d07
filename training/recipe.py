"""What makes a model, apart from the pictures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from edge.bundle import Task
from training.dataset.annotations import MULTICLASS
from training.errors import DataError, UsageError
from training.hyperparameters import Value
from training.model_rules import check_settings
from training.settings import Settings, default_settings

Views = Literal["surface", "light"]
"""How far the random views that are trained on may go from a picture; see :mod:`training.local.augment`."""
VIEWS: tuple[Views, ...] = get_args(Views)
NO_WEIGHTS = "none"
"""What ``pretrained`` says of a network that begins from scratch."""
AUTO_WEIGHTS = "auto"
"""The weights that are known for the network, where they can be had; from scratch else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What a recipe is where nothing else is asked for: changes to AutoML's hyperparameters, and what it has not."""

    settings: Mapping[str, Value] = field(default_factory=dict)
    pretrained: str = NO_WEIGHTS
    mirrored: bool = False
    standardised: bool = False


PRESETS: Mapping[str, Preset] = {
    "automl": Preset(pretrained=AUTO_WEIGHTS),
    "scratch": Preset(
        settings={
            "number_of_epochs": 56,
            "training_batch_size": 32,
            "learning_rate": 0.003,
            "optimizer": "adamw",
            "weight_decay": 0.05,
            "warmup_cosine_lr_cycles": 0.5,
            "early_stopping": 0,
            "validation_resize_size": 96,
            "validation_crop_size": 96,
            "training_crop_size": 96,
        },
        mirrored=True,
        standardised=True,
    ),
}
"""``automl``: AutoML's defaults, made for pretrained weights. ``scratch``: what a few hundred pictures want without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Network, hyperparameters, and what AutoML has no name for.

    ``drawn`` is how many drawn pictures are trained on beside the given ones (never held out). ``mirrored`` makes the
    exported graph average its logits over the picture and its mirror image. ``standardised`` evens out
    light and contrast before the network, in training and in the graph. ``pretrained`` says where
    the first weights come from: ``none``, ``auto``, a file, or a repository of the Hugging Face hub.
    """

    model: str
    settings: Settings
    task: Task = MULTICLASS
    views: Views = "surface"
    pretrained: str = NO_WEIGHTS
    drawn: int = 0
    mirrored: bool = False
    standardised: bool = False

    def __post_init__(self) -> None:
        check_settings(self.model, self.settings)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, for reports and manifests."""
        return {
            "model_name": self.model,
            "task": self.task,
            "hyperparameters": self.settings.as_dict(),
            "views": self.views,
            "pretrained": self.pretrained,
            "drawn": self.drawn,
            "mirrored": self.mirrored,
            "standardised": self.standardised,
        }


def recipe_from(told: Mapping[str, Any]) -> Recipe:
    """Return the recipe that :meth:`Recipe.as_dict` wrote, also an earlier version's; what it lacks is the default.

    Raises:
        DataError: it is none.
    """
    try:
        task: Task = told.get("task", MULTICLASS)
        model = str(told["model_name"])
        views = told.get("views", VIEWS[0])
        if views not in VIEWS:
            raise ValueError(f"unknown views {views!r}")
        return Recipe(
            model=model,
            settings=default_settings(model, task, told["hyperparameters"]),
            task=task,
            views=views,
            pretrained=str(told.get("pretrained", NO_WEIGHTS)),
            drawn=int(told.get("drawn", 0)),
            mirrored=bool(told.get("mirrored", False)),
            standardised=bool(told.get("standardised", False)),
        )
    except (KeyError, TypeError, ValueError, UsageError) as exc:
        raise DataError(f"holds no recipe of this trainer ({exc})") from exc
