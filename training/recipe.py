"""What makes a model, apart from the pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from edge.bundle import Task
from training.dataset.annotations import MULTICLASS
from training.errors import DataError, HyperparameterError
from training.settings import Settings, default_settings

Views = Literal["surface", "light"]
"""How far the random views that are trained on may go from a picture; see :mod:`training.local.augment`."""
VIEWS: tuple[Views, ...] = get_args(Views)
NO_WEIGHTS = "none"
"""What ``pretrained`` says of a network that begins from scratch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Network, hyperparameters, and what AutoML has no name for.

    ``drawn`` is how many drawn pictures are trained on beside the given ones (never held out). ``mirrored`` makes the
    exported graph average its logits over the picture and its mirror image. ``pretrained`` says where the first
    weights come from: ``none``, a file, or a repository of the Hugging Face hub.
    """

    model: str
    settings: Settings
    task: Task = MULTICLASS
    views: Views = "surface"
    pretrained: str = NO_WEIGHTS
    drawn: int = 0
    mirrored: bool = False

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
        }


def recipe_from(told: Mapping[str, Any]) -> Recipe:
    """Return the recipe that :meth:`Recipe.as_dict` wrote, also an earlier version's; what it lacks is the default.

    Raises:
        DataError: it is none.
    """
    try:
        task: Task = told.get("task", MULTICLASS)
        model = str(told["model_name"])
        return Recipe(
            model=model,
            settings=default_settings(model, task, told["hyperparameters"]),
            task=task,
            views=told.get("views", "surface"),
            pretrained=str(told.get("pretrained", NO_WEIGHTS)),
            drawn=int(told.get("drawn", 0)),
            mirrored=bool(told.get("mirrored", False)),
        )
    except (KeyError, TypeError, ValueError, HyperparameterError) as exc:
        raise DataError(f"holds no recipe of this trainer ({exc})") from exc
