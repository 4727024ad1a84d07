"""The command line: arguments in, text and exit codes out. The only room that prints.

Exit codes: 0 done, 1 the work failed, 2 wrong usage or configuration, 130 interrupted.
"""

from edge.cli.root import root

__all__ = ["main", "root"]


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    root(prog_name="automl-edge")
