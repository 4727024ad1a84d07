"""``python -m edge.cli`` is ``automl-edge``."""

from edge.cli import main

main()
