"""The templates of pages: ``*.html`` in this folder. What is filled in is escaped unless it is Markup."""

from typing import Any

import jinja2


def filled(template: str, **values: Any) -> str:
    """Return the template of that file name with the values in it; a name that it misses is an error of ours.

    ``base.html`` holds the look of all pages, light and dark; others extend it with the blocks ``title`` and ``body``.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("training.pages", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(values)
