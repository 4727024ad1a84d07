"""Pages for a browser that need no network: reports, contact sheets."""

import jinja2 as _jinja  # noqa: F401 - used as soon as this is written
