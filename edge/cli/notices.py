"""What the rooms below log while a command runs, as a person reads it: ``warning: what: why``."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import click

_ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class Notices(logging.Handler):
    """Writes warnings and errors, with their ``extra``, on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as one line."""
        extra = [str(value) for name, value in vars(record).items() if name not in _ORDINARY]
        click.echo(": ".join([record.levelname.lower(), record.getMessage(), *extra]), err=True)


@contextmanager
def shown_warnings() -> Iterator[None]:
    """Show warnings and worse until the end. The daemon, which logs in its own way, takes this handler's place."""
    notices = Notices(logging.WARNING)
    logging.getLogger().addHandler(notices)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(notices)
