"""`automl-train data`: makes data. Imports neither torch nor onnxruntime, so it starts at once."""

from pathlib import Path

import click

from training.dataset.drawn import NATIVE_SIZE, SMALLEST_SIZE, write_drawn


@click.group()
def data() -> None:
    """Make data."""


@data.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--count", type=click.IntRange(1), default=60, show_default=True, help="Pictures in all.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Same seed, same pictures.")
@click.option(
    "--size", type=click.IntRange(SMALLEST_SIZE, 4096), default=NATIVE_SIZE, show_default=True, help="Pixels a side."
)
@click.option(
    "--format", "suffix", type=click.Choice(["png", "jpg"]), default="png", show_default=True, help="File format."
)
def draw(out: Path, count: int, seed: int, size: int, suffix: str) -> None:
    """Draw steel surfaces with six kinds of defect into OUT/<Class>/."""
    written = sum(1 for _ in write_drawn(out, count, seed, size, f".{suffix}"))
    click.echo(f"{written} pictures in {out}")
