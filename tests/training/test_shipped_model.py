"""The shipped model: small, proven, and right on drawn and on real pictures."""

import os
from pathlib import Path

import pytest

from edge.bundle import Bundle, open_bundle
from edge.proof import load_and_prove
from training.dataset.drawn import write_drawn
from training.dataset.folders import read_folders
from training.judge import evaluate_bundle

FOLDER = Path(__file__).parents[2] / "models" / "metal-surface-defects" / "1"
MAX_BYTES = 12_000_000
EVERY = 4


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return open_bundle(FOLDER)


def test_size_and_proof(bundle: Bundle) -> None:
    """The whole bundle is at most 12 MB and proves itself; every class has golden pictures."""
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) <= MAX_BYTES
    _, proof = load_and_prove(bundle, device="cpu")
    assert proof.proven
    assert {label for golden in bundle.manifest.golden for label in golden.expected.labels} == set(bundle.labels)


def test_manifest_tells_how_good_it_is(bundle: Bundle) -> None:
    """The manifest holds the cross-validation on all real pictures, and no fold fell below 98 %."""
    figures = bundle.manifest.metrics["cross_validation"]
    assert figures["pictures"] == 1200
    assert figures["accuracy"] >= 0.995
    assert min(figures["fold_accuracies"]) >= 0.98


def test_right_on_fresh_drawn_pictures(bundle: Bundle, tmp_path: Path) -> None:
    """Drawn pictures that it never saw are answered rightly."""
    list(write_drawn(tmp_path, count=240, seed=123_456))
    assert evaluate_bundle(bundle, read_folders([tmp_path]), lambda _: None).accuracy >= 0.99


def test_right_on_real_pictures(bundle: Bundle) -> None:
    """A quarter of the real pictures is answered rightly, wherever NEU_DATA says they are."""
    folder = os.environ.get("NEU_DATA")
    if not folder:
        pytest.skip("NEU_DATA does not name the folder of real pictures (one folder a class)")
    judged = evaluate_bundle(bundle, read_folders([Path(folder)])[::EVERY], lambda _: None)
    assert judged.accuracy >= 0.99
