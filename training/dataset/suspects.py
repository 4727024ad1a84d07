"""Pictures that look as if they had another label than their own: a suspicion, for a person to judge."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_PICTURES, LEAST_OF_CLASS = 60, 10
"""With fewer, nothing is said; classes with fewer are left out."""
FOLDS = 5
LEAST_ACCURACY = 0.6
"""Where the simple classifier is right less often on pictures that it has not seen, it knows too little to suspect."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A picture, by its position, that looks like ``label``; ``probability`` is that of the simple classifier, 0..1."""

    position: int
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Suspects:
    """The suspects, the surest first; ``silent`` tells why nothing was searched, where that is so."""

    found: tuple[Suspect, ...] = ()
    silent: str = ""


def suspects(features: NDArray[np.float16], labels: Sequence[str], seed: int = 0) -> Suspects:
    """Return the pictures that the rule of confident learning suspects; the same seed gives the same.

    A linear discriminant with a shrunk covariance (Ledoit and Wolf 2004) is fitted to four fifths of the pictures and
    asked about the others. A picture is suspected where another class is the likeliest, and likelier than that class is
    on its own pictures on average, and its own class is less likely than on average (Northcutt, Jiang and Chuang 2021).
    """
    counted = Counter(labels)
    chosen = [n for n, label in enumerate(labels) if counted[label] >= LEAST_OF_CLASS]
    classes = sorted({labels[n] for n in chosen})
    targets = np.asarray([classes.index(labels[n]) for n in chosen], np.intp)
    if len(chosen) < LEAST_PICTURES or len(classes) < 2:
        return Suspects(silent=f"fewer than {LEAST_PICTURES} pictures in classes of {LEAST_OF_CLASS} and more")
    probabilities = _out_of_fold(features[chosen].astype(np.float32), targets, seed)
    accuracy = float((probabilities.argmax(axis=1) == targets).mean())
    if accuracy < LEAST_ACCURACY:
        return Suspects(silent=f"a simple classifier tells these classes apart too seldom ({accuracy:.0%} right)")
    found = [
        Suspect(chosen[row], classes[other], float(probabilities[row, other]))
        for row, other in _suspected(probabilities, targets)
    ]
    return Suspects(tuple(sorted(found, key=lambda suspect: (-suspect.probability, suspect.position))))


def _out_of_fold(features: NDArray[np.float32], targets: NDArray[np.intp], seed: int) -> Floats:
    """Return each picture's probabilities by a classifier that has not seen it, [n, classes]."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # noqa: PLC0415 - a second, and not always here
    from sklearn.model_selection import StratifiedKFold, cross_val_predict  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    classifier = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning)  # of features that never differ
        found = cross_val_predict(classifier, features, targets, cv=folds, method="predict_proba")
    return np.asarray(found, np.float64)


def _suspected(probabilities: Floats, targets: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Return rows, and for each the class that it looks like."""
    rows = np.arange(len(targets))
    own = probabilities[rows, targets]
    usual = np.array([own[targets == label].mean() for label in range(probabilities.shape[1])])
    likeliest = probabilities.argmax(axis=1)
    sure = probabilities[rows, likeliest] >= usual[likeliest]
    odd = sure & (own < usual[targets]) & (likeliest != targets)
    return [(int(row), int(likeliest[row])) for row in np.flatnonzero(odd)]
