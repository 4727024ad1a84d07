"""What a benchmark found: figures beside their targets, with the machine and the versions they were taken on."""

import json
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from edge.session import usable_cores

PACKAGES = (
    "automl-edge",
    "numpy",
    "pillow",
    "cykooz-resizer",
    "onnxruntime",
    "fastapi",
    "uvicorn",
    "uvloop",
    "httptools",
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. ``target`` is a bound, ``wanted`` on which side of it the number should lie."""

    name: str
    value: float
    unit: str = ""
    target: float | None = None
    wanted: Literal["at most", "at least"] = "at most"

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.target is None:
            return None
        return self.value <= self.target if self.wanted == "at most" else self.value >= self.target


@dataclass(frozen=True, slots=True)
class Report:
    """What one benchmark found; ``details`` holds what the figures were made of, JSON-ready."""

    benchmark: str
    figures: Sequence[Figure]
    details: Mapping[str, Any] = field(default_factory=dict)


def machine() -> dict[str, Any]:
    """Return what the figures depend on: processor, cores, system, versions."""
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": sys.version.split()[0],
        "packages": {name: _version(name) for name in PACKAGES},
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def as_json(reports: Iterable[Report], where: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything in JSON's types."""
    return {"machine": dict(where), "benchmarks": [_report_json(report) for report in reports]}


def _report_json(report: Report) -> dict[str, Any]:
    figures = [
        {
            "name": f.name,
            "value": round(f.value, 4),
            "unit": f.unit,
            "target": f.target,
            "wanted": f.wanted,
            "met": f.met,
        }
        for f in report.figures
    ]
    return {"benchmark": report.benchmark, "figures": figures, "details": dict(report.details)}


def page(reports: Iterable[Report], where: Mapping[str, Any]) -> str:
    """Return the Markdown page of ``docs/reference/benchmarks.md``."""
    versions = ", ".join(f"{name} {number}" for name, number in where["packages"].items())
    parts = [
        "# Benchmarks",
        "Written by `python -m bench --page docs/reference/benchmarks.md`; what is measured, and how, is in "
        "[bench/README.md](../../bench/README.md).",
        f"- Machine: {where['processor']}, {where['cores']} cores, {where['system']}\n"
        f"- Versions: Python {where['python']}, {versions}\n"
        f"- Taken: {where['taken_at']}",
        "The figures are ratios of medians taken in turns within one run, but for the seconds and MiB of a start. "
        "Pictures are JPEGs of quality 90; unless a size is named, 640x480.",
    ]
    for report in reports:
        parts += [f"## {report.benchmark}", table(report), f"```json\n{_details(report.details)}\n```"]
    return "\n\n".join(parts) + "\n"


def _details(details: Mapping[str, Any]) -> str:
    """Return what the figures were made of, an entry a line."""
    lines = []
    for name, value in details.items():
        inner = value.items() if isinstance(value, Mapping) else [("", value)]
        lines += [json.dumps({" | ".join(filter(None, (name, key))): item}) for key, item in inner]
    return "\n".join(lines)


def table(report: Report) -> str:
    """Return the figures as a Markdown table."""
    rows = [(f.name, f"{f.value:.3g} {f.unit}".strip(), _target(f), _verdict(f)) for f in report.figures]
    head = (report.benchmark, "measured", "target", "")
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(4)]
    lines = [head, tuple("-" * width for width in widths), *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def _target(figure: Figure) -> str:
    return "" if figure.target is None else f"{figure.wanted} {figure.target:g} {figure.unit}".strip()


def _verdict(figure: Figure) -> str:
    return {None: "", True: "met", False: "missed"}[figure.met]
