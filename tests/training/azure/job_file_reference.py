"""Writes the tables of the reference of job files: ``python -m tests.training.azure.job_file_reference``."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from training.azure.job_schema import JobFile, JobIdentity, Serverless
from training.dataset.annotations import DETECTION, TASKS
from training.hyperparameters import KINDS, LAYERS, PARAMETERS, Parameter
from training.image_models import BOXES, CLASSIFYING, METRICS, NETWORKS
from training.sweep_schema import Bandit, Limits, MedianStopping, Sweep, TruncationSelection

PAGE = Path(__file__).parents[3] / "docs/reference/job-file.md"
SECTIONS: Mapping[str, type[BaseModel]] = {
    "At the top": JobFile,
    "[serverless]": Serverless,
    "[identity]": JobIdentity,
    "[limits]": Limits,
    "[sweep]": Sweep,
    'early_termination with type = "bandit"': Bandit,
    'early_termination with type = "median_stopping"': MedianStopping,
    'early_termination with type = "truncation_selection"': TruncationSelection,
}
TABLES = ("serverless", "tags", "identity", "environment_variables", "limits", "model", "fit", "sweep")
"""Keys at the top whose table has a part of its own, or is free."""
GROUPS: Mapping[str, frozenset[Any]] = {
    "For all tasks": frozenset(TASKS),
    "For classification, multi-class and multi-label": CLASSIFYING,
    "For detection and segmentation": BOXES,
    "For detection": frozenset((DETECTION,)),
}


def page_with_tables(page: str) -> str:
    """Return the page with what stands between its markers written anew."""
    written = {"keys": keys(), "models": models(), "hyperparameters": hyperparameters()}
    for part, text in written.items():
        begin, end = (
            f"<!-- {part}: written by tests/training/azure/job_file_reference.py -->",
            f"<!-- end of {part} -->",
        )
        before, _, rest = page.partition(begin)
        page = f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}"
    return page


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head)]
    lines += [["---"] * len(lines[0]), *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def keys(sections: Mapping[str, type[BaseModel]] = SECTIONS) -> str:
    """Return a table of the keys of each section; the first one is the whole file."""
    parts: list[str] = []
    for title, schema in sections.items():
        rows = list(_key_rows(schema))
        said = "" if not parts else f"{(schema.__doc__ or '').strip()}\n\n"
        parts.append(f"### {title}\n\n{said}{table(['key', 'default', 'values', 'meaning'], rows)}")
    return "\n\n".join(parts)


def _key_rows(schema: type[BaseModel]) -> Iterator[list[str]]:
    described = schema.model_json_schema()["properties"]
    for key, field in schema.model_fields.items():
        if key == "type" and schema is not JobIdentity:
            continue
        text = " ".join(str(described[key]["description"]).split()).replace("|", "\\|")
        default = "required" if field.is_required() else f"`{field.default}`" if field.default is not None else "none"
        if key in TABLES and not field.is_required():
            default = "none"
        if isinstance(field.default, bool):
            default = f"`{_toml(field.default)}`"
        if isinstance(field.default, str):
            default = f'`"{field.default}"`'
        yield [f"`{key}`", default, _values(key, described[key]), text]


def _values(key: str, described: Mapping[str, Any]) -> str:
    kind = next((k for k in described.get("anyOf", []) if k.get("type") != "null"), described)
    if "enum" in kind:
        return ", ".join(f"`{value}`" for value in kind["enum"])
    if key in TABLES or key in ("early_termination", "space"):
        return "table" if key != "space" else "tables"
    names = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false"}
    words = {"minimum": "≥ ", "exclusiveMinimum": "> ", "maximum": "≤ ", "exclusiveMaximum": "< "}
    limits = [f"{sign}{kind[word]:g}" for word, sign in words.items() if word in kind]
    return ", ".join([names[kind["type"]], *limits])


def models() -> str:
    rows = [(f"`{task}`", f"`{METRICS[task]}`", ", ".join(f"`{n.name}`" for n in NETWORKS[task])) for task in TASKS]
    return table(("task", "primary metric", "models that give ONNX"), rows)


def hyperparameters() -> str:
    head = ("name", "values", "default", "counts for", "in a sweep")
    parts = []
    for title, tasks in GROUPS.items():
        found = [_row(parameter) for parameter in PARAMETERS if parameter.tasks == tasks]
        parts.append(f"### {title}\n\n{table(head, found)}")
    layers = table(("family", "layers that `layers_to_freeze` can count"), [(k, str(n)) for k, n in LAYERS.items()])
    return "\n\n".join([*parts, layers])


def _row(parameter: Parameter) -> list[str]:
    values = str(parameter.allowed) if parameter.kind == "text" else f"{KINDS[parameter.kind]}, {parameter.allowed}"
    if parameter.kind == "switch":
        values = f"{KINDS['switch']} (or 1 or 0)"
    defaults = [f"{_short(key)}`{_toml(value)}`" for key, value in parameter.defaults.items()]
    return [f"`{parameter.name}`", values, "; ".join(defaults) or "none", _counts(parameter), _swept(parameter)]


def _short(key: str) -> str:
    task, _, model = key.partition("/")
    return f"{task.removeprefix('image-')}{' ' if model else ''}{model}: " if key else ""


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _counts(parameter: Parameter) -> str:
    said = [*sorted(parameter.families), *(f"not {family}" for family in sorted(parameter.not_families))]
    if parameter.needs:
        name, values = parameter.needs
        given = " or ".join(dict.fromkeys(_toml(value) for value in dict.fromkeys(values)))
        said.append(f"with `{name}`{f' = {given}' if given else ''}")
    return ", ".join(said) or "all"


def _swept(parameter: Parameter) -> str:
    return "yes" if parameter.swept else "no"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page_with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
