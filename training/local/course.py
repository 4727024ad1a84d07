"""The epochs of a fit, one after the other, and what of them is on the disk: it can be killed at any moment."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from training.errors import DivergenceError, StorageError
from training.image_models import METRICS
from training.local.run import Ending, Epoch, Fitted, write_epochs, write_fitted
from training.local.stopping import best_of, is_due, is_stale
from training.local.trainer import Say, Trainer, Watch, copied
from training.local.weights import remove_checkpoints, write_best, write_checkpoint
from training.recipe import Recipe


class Course:
    """A fit on its way."""

    def __init__(self, folder: Path, recipe: Recipe, trainer: Trainer, say: Say) -> None:
        self._folder, self._recipe, self._trainer, self._say = folder, recipe, trainer, say
        self._epochs: list[Epoch] = []
        self._best: dict[str, Any] = {}
        self._best_is_written = False
        self._kept = 0

    def go_on(self, state: Mapping[str, Any]) -> None:
        """Take up what an earlier process has kept."""
        self._trainer.load(state["trainer"])
        self._epochs = [Epoch(**told) for told in state["epochs"]]
        self._best = state["best"]
        self._kept = len(self._epochs)
        self._say(f"going on after epoch {self._kept}")

    def run(self, watch: Watch, epoch_done: Callable[[Epoch], bool]) -> Fitted:
        """Train to the end; ``epoch_done`` hears of every epoch, and ends it by False.

        Raises:
            DivergenceError: a loss or a weight is no number any more; the best weights so far are kept.
            StorageError: the weights cannot be written at the end.
            OutOfMemoryError: not even two pictures at a time fit into the memory.
        """
        asked = not all(epoch_done(epoch) for epoch in self._epochs)
        while not (asked or self._is_over()):
            self._run_epoch(watch)
            asked = not epoch_done(self._epochs[-1])
        return self._finish("asked" if asked and not self._is_over() else "early" if self._is_early() else "ended")

    def _is_over(self) -> bool:
        return len(self._epochs) == self._recipe.settings.number_of_epochs or self._is_early()

    def _is_early(self) -> bool:
        epochs, settings = self._epochs, self._recipe.settings
        return len(epochs) < settings.number_of_epochs and is_stale(epochs, settings, METRICS[self._recipe.task])

    def _best_epoch(self) -> Epoch:
        return best_of(self._epochs, METRICS[self._recipe.task])

    def _run_epoch(self, watch: Watch) -> None:
        try:
            epoch = self._trainer.run_epoch(len(self._epochs) + 1, watch)
        except DivergenceError as error:
            raise DivergenceError(f"{error}; {self._saved()}") from error
        self._epochs.append(epoch)
        if self._best_epoch() is epoch:
            self._best, self._best_is_written = copied(self._trainer.weights), False
        self._keep()

    def _keep(self) -> None:
        """Write down how it goes and, where that is due, all that it takes to go on."""
        settings, epoch = self._recipe.settings, len(self._epochs)
        try:
            write_epochs(self._folder, self._epochs)
            if is_due(epoch, settings.checkpoint_frequency, settings.number_of_epochs):
                self._write_best()
                write_checkpoint(self._folder, self._state())
                self._kept = epoch
        except OSError as error:
            self._say(
                f"epoch {epoch} cannot be kept in {self._folder} ({error.strerror}); training goes on, but a kill now "
                f"would lose what was learnt {self._since()}; free space there"
            )

    def _state(self) -> dict[str, Any]:
        return {
            "trainer": self._trainer.state(),
            "epochs": [asdict(epoch) for epoch in self._epochs],
            "best": self._best,
        }

    def _since(self) -> str:
        return f"after epoch {self._kept}" if self._kept else "so far"

    def _write_best(self) -> None:
        if not self._best_is_written:
            write_best(self._folder, self._best)
            self._best_is_written = True

    def _saved(self) -> str:
        """Keep the best weights there are, and say which."""
        if not self._epochs:
            return "no epoch was finished before"
        best = self._best_epoch().epoch
        try:
            self._write_best()
        except OSError as error:
            return f"the weights of epoch {best} cannot be written either ({error.strerror})"
        return f"the weights of epoch {best} are kept: automl-train export {self._folder}"

    def _finish(self, how: Ending) -> Fitted:
        fitted = Fitted(
            best=self._best_epoch(),
            epochs=tuple(self._epochs),
            how=how,
            device=str(self._trainer.accelerator),
            batch_size=self._trainer.batch_size,
            origin=self._trainer.origin,
        )
        try:
            self._write_best()
            write_epochs(self._folder, self._epochs)
            write_fitted(self._folder, fitted)
            remove_checkpoints(self._folder)
        except OSError as error:
            again = f"it goes on after epoch {self._kept}" if self._kept else "it begins anew"
            raise StorageError(
                f"{self._folder}: the weights of epoch {fitted.best.epoch} cannot be written ({error.strerror}); free "
                f"space there and give the same command again: {again}"
            ) from error
        return fitted
