"""What makes a model, apart from the pictures."""

from dataclasses import dataclass
from typing import Any

from training.hyperparameters import Hyperparameters


@dataclass(frozen=True, slots=True)
class Recipe:
    """Network and hyperparameters.

    `drawn` is how many drawn pictures are trained on beside the given ones (never held out). `mirrored` makes the
    exported graph average its logits over the picture and its mirror image.
    """

    model: str
    settings: Hyperparameters
    drawn: int = 0
    mirrored: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, for reports and manifests."""
        return {
            "model_name": self.model,
            "hyperparameters": self.settings.as_dict(),
            "drawn": self.drawn,
            "mirrored": self.mirrored,
        }
