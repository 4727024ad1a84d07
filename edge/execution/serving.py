"""Which model serves, and when the last work on the previous one has ended."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from edge.errors import ModelNotReadyError
from edge.ports import Model


class Serving:
    """The present model and the pictures under way on each. Thread-safe.

    A picture keeps the model it began with, so that a swap never mixes one model's preprocessing with another's graph.
    """

    def __init__(self) -> None:
        self._model: Model | None = None
        self._under_way: Counter[int] = Counter()
        self._changed = threading.Condition()

    @property
    def model(self) -> Model | None:
        """The model that new work begins on."""
        return self._model

    def begin(self) -> Model:
        """Return the present model and count one picture on it. Raises ModelNotReadyError without one."""
        with self._changed:
            if self._model is None:
                raise ModelNotReadyError("no model is running yet; see /readyz for the reason")
            self._under_way[id(self._model)] += 1
            return self._model

    def end(self, model: Model) -> None:
        """Count one picture off ``model``."""
        with self._changed:
            self._under_way[id(model)] -= 1
            if self._under_way[id(model)] <= 0:
                del self._under_way[id(model)]
                self._changed.notify_all()

    @contextmanager
    def use(self) -> Iterator[Model]:
        """Hold the present model for one picture. Raises ModelNotReadyError without one."""
        model = self.begin()
        try:
            yield model
        finally:
            self.end(model)

    def swap(self, model: Model, *, timeout_s: float) -> bool:
        """Let new work begin on ``model``; wait for the previous one to come free; tell whether it did in time."""
        with self._changed:
            previous, self._model = self._model, model
            if previous is None:
                return True
            return self._changed.wait_for(lambda: id(previous) not in self._under_way, timeout_s)
