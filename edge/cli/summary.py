"""What a run of ``predict`` came to, in a few lines."""

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from edge.cli.pictures import Answer
from edge.ports import Model
from edge.results import Failure

SHOWN_FAILURES = 5


@dataclass(slots=True)
class Tally:
    """Counts answers. ``total`` is how many pictures there are, ``started_s`` when work began (``perf_counter``)."""

    total: int
    started_s: float
    labels: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    done: int = 0
    failed: int = 0

    def count(self, answer: Answer) -> None:
        """Take one answer into account."""
        self.done += 1
        prediction = answer.prediction
        if not isinstance(prediction, Failure):
            self.labels.update([prediction.label] if prediction.selected is None else prediction.selected)
            return
        self.failed += 1
        if len(self.failures) < SHOWN_FAILURES:
            self.failures.append(f"{answer.picture.text}: {prediction.detail}")

    def text(self, model: Model, output: Path | None) -> str:
        """Return the summary, one fact a line."""
        spent_s = time.perf_counter() - self.started_s
        of_all = "" if self.done == self.total else f" of {self.total}"
        unproven = "" if model.ref.proven else " (unproven: it has no golden pictures)"
        labels = ", ".join(f"{label} {count}" for label, count in sorted(self.labels.items()))
        lines = [
            f"model     {model.ref}{unproven} on {model.session.provider}",
            f"pictures  {self.done}{of_all} in {spent_s:.1f} s, {self.done / spent_s:.1f}/s",
            f"labels    {labels or 'none'}",
            *self._failure_lines(),
        ]
        return "\n".join([*lines, f"written   {output}"] if output else lines)

    def _failure_lines(self) -> list[str]:
        if not self.failed:
            return []
        more = self.failed - len(self.failures)
        rest = [f"          and {more} more"] if more else []
        return [f"failed    {self.failed}", *(f"          {failure}" for failure in self.failures), *rest]
