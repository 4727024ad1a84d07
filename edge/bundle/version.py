"""The order of versions."""

import re


def version_key(version: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key under which ``10`` follows ``9``, ``1.10`` follows ``1.9`` and a number follows a word."""
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in re.split(r"[._-]", version))
