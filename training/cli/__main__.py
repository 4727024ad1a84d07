"""`python -m training.cli`: the same as `automl-train`."""

from training.cli import main

main(prog_name="automl-train")
