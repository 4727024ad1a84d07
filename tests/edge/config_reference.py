"""Writes the tables of the configuration reference from the schema: ``python -m tests.edge.config_reference``."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from edge.config.environment import variable
from edge.config.schema import SECTIONS
from edge.config.sources import SOURCE_KINDS

PAGE = Path(__file__).parents[2] / "docs/reference/configuration.md"
BEGIN, END = "<!-- keys: written by tests/edge/config_reference.py -->", "<!-- end of keys -->"
UNITS = {
    "_s": "seconds",
    "_ms": "milliseconds",
    "_mb": "MiB",
    "_megapixels": "million pixels",
    "fps": "frames a second",
}

COMPUTED = {"device": "host name", "poll_s": "`2.0`, `60.0` for `azureml`"}
"""Defaults that depend on something, by key."""


def tables() -> str:
    """Return one table a section, in Markdown."""
    sections = [f"### [{name}]\n\n{_table(name, schema, environment=True)}" for name, schema in SECTIONS.items()]
    sources = [
        f'### [[source]] with kind = "{kind}"\n\n{_table(kind, schema, environment=False)}'
        for kind, schema in SOURCE_KINDS.items()
    ]
    return "\n\n".join([*sections, *sources])


def page_with_tables(page: str) -> str:
    """Return the page with what stands between its two markers written anew."""
    return re.sub(
        f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: f"{BEGIN}\n\n{tables()}\n\n{END}", page, flags=re.S
    )


def _table(section: str, schema: type[BaseModel], *, environment: bool) -> str:
    head = ["key", "default", "values", *(["variable"] if environment else []), "meaning"]
    rows = [head, ["---"] * len(head), *_rows(section, schema, environment=environment)]
    text = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{(schema.__doc__ or '').strip()}\n\n{text}"


def _rows(section: str, schema: type[BaseModel], *, environment: bool) -> Iterator[list[str]]:
    described = schema.model_json_schema()["properties"]
    for key in schema.model_fields:
        cells = [f"`{key}`", _default(schema, key), _values(key, described[key])]
        if environment:
            cells.append(f"`{variable(section, key)}`")
        yield [*cells, described[key]["description"].replace("\n", " ").replace("|", "\\|")]


def _default(schema: type[BaseModel], key: str) -> str:
    field = schema.model_fields[key]
    if field.default_factory is not None:
        return COMPUTED[key]
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "none"
    return f"`{_toml(field.default)}`"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value) if isinstance(value, int | float) else f'"{value}"'


def _values(key: str, described: Mapping[str, Any]) -> str:
    kind = next((k for k in described.get("anyOf", []) if k.get("type") != "null"), described)
    if "enum" in kind or "const" in kind:
        return ", ".join(f"`{value}`" for value in kind.get("enum", [kind.get("const")]))
    unit = next((text for ending, text in UNITS.items() if key.endswith(ending)), "")
    return ", ".join(part for part in (_type(kind), unit, _limits(kind)) if part)


def _type(kind: Mapping[str, Any]) -> str:
    if kind["type"] == "array":
        return f"list of {_type(kind['items'])}s"
    names = {"boolean": "`true`, `false`", "integer": "whole number", "number": "number", "string": "text"}
    if kind.get("format") == "password":
        return "secret text"
    return "path" if kind.get("format") == "path" else names[kind["type"]]


def _limits(kind: Mapping[str, Any]) -> str:
    words = {"minimum": "≥ ", "exclusiveMinimum": "> ", "maximum": "≤ ", "exclusiveMaximum": "< "}
    return ", ".join(f"{sign}{kind[word]:g}" for word, sign in words.items() if word in kind)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page_with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
