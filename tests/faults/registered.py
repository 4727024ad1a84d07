"""Versions of the small model that tells colours, put into a registry as a careful copy does."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tests.fakes import CREATED_AT, GraphOptions, make_bundle


def register(
    folder: Path,
    version: str,
    *,
    spoil: Callable[[Path], object] = lambda _: None,
    graph: GraphOptions = GraphOptions(),
) -> Path:
    """Make a version beside the registry ``folder / "models"``, spoil it and move it in; higher ones are newer."""
    staged = folder / f"staged-{version}"
    make_bundle(staged, version=version, created_at=CREATED_AT + timedelta(days=int(version)), graph=graph)
    spoil(staged)
    target = folder / "models" / "colours" / version
    target.parent.mkdir(parents=True, exist_ok=True)
    return staged.rename(target)
