"""`automl-train`: thin commands, each imported only when it runs, so that torch loads only to train."""

from training.cli.root import main

__all__ = ["main"]
