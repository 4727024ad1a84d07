"""How many files and sockets the process may have open at once."""

import logging
import resource

OTHERS = 256
"""Descriptors that the daemon needs beside those of HTTP connections: files, the broker, sockets that say goodbye."""

_log = logging.getLogger(__name__)


def allow_connections(max_connections: int) -> None:
    """Raise the soft limit of open files to the hard one; warn where even that is too low for ``max_connections``."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < max_connections + OTHERS:
        _log.warning(
            "the process may open %d files, too few for http.max_connections = %d: connections will be refused before "
            "that; raise the limit (ulimit -n, LimitNOFILE=) to %d, or lower http.max_connections",
            hard,
            max_connections,
            max_connections + OTHERS,
        )
