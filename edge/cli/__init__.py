"""The command line: arguments in, text and exit codes out. The only room that prints.

Exit codes: 0 done, 1 the work failed, 2 wrong usage or configuration, 130 interrupted.
"""

import os
import sys

from edge.cli.root import root

STDOUT, STDERR = 1, 2

__all__ = ["fill_standard_streams", "main", "root"]


def main() -> None:
    """Run the command line of this process and leave with its exit code."""
    fill_standard_streams()
    root(prog_name="automl-edge")


def fill_standard_streams() -> None:
    """Open what a parent closed of standard input, output and error, as /dev/null.

    Else the next file or socket would get the number of a standard stream, and with it what libraries print.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STDERR:
        pass
    os.close(descriptor)
    sys.stdout = sys.stdout or os.fdopen(STDOUT, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(STDERR, "w", closefd=False)
