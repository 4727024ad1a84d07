"""Tables of judged answers, for a person at a terminal."""

import numpy as np
import pytest

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from training.cli.judged import MOST_COLUMNS, print_confusion
from training.evaluation import confusion


@pytest.mark.parametrize("classes", [2, MOST_COLUMNS + 1])
def test_names_are_text(classes: int, capsys: pytest.CaptureFixture[str]) -> None:
    """A class's name that rich would take for markup stands there as it is, in a table and in a list."""
    names = ["[red]rust[/red]", "[/x]", *map(str, range(2, classes))]
    print_confusion(confusion(names, np.arange(classes).tolist(), [1, 0, *range(2, classes)]))
    printed = capsys.readouterr().out
    assert "[red]rust[/red]" in printed
    assert "[/x]" in printed
