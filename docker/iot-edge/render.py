"""Prints the deployment manifest that ``az iot edge set-modules --content`` takes, made of the template beside it.

``${NAME}`` is replaced by the environment's value of ``NAME``. Options for creating a container become text, in parts
of 512 characters (``createOptions``, ``createOptions01``, …), as the edge agent reads them from a module twin. With
``--gpu``, gpu.patch.json is merged in (RFC 7386).
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
PLACE = re.compile(r"\$\{(\w+)\}")
PART_CHARACTERS = 512
MAX_PARTS = 8


def main() -> int:
    """Print the manifest; return the exit code."""
    parser = argparse.ArgumentParser(description="print the deployment manifest")
    parser.add_argument("--gpu", action="store_true", help="the module on an NVIDIA GPU")
    given = parser.parse_args()
    template = read(gpu=given.gpu)
    missing = sorted(places(template) - {name for name, value in os.environ.items() if value})  # noqa: TID251
    if missing:
        print(f"error: set {', '.join(missing)} in the environment", file=sys.stderr)  # noqa: T201 - a program
        return 2
    print(json.dumps(rendered(template, os.environ), indent=2))  # noqa: T201, TID251 - a program of its own
    return 0


def read(*, gpu: bool) -> dict[str, Any]:
    """Return the template."""
    template: dict[str, Any] = json.loads((FOLDER / "deployment.template.json").read_text(encoding="utf-8"))
    del template["$schema-template"]
    patch = json.loads((FOLDER / "gpu.patch.json").read_text(encoding="utf-8")) if gpu else {}
    merged: dict[str, Any] = _merged(template, patch)
    return merged


def places(template: Mapping[str, Any]) -> set[str]:
    """Return the names that the template leaves open."""
    return set(PLACE.findall(json.dumps(template)))


def rendered(template: Mapping[str, Any], values: Mapping[str, str]) -> Any:
    """Return the manifest."""
    return _rendered(template, values)


def _rendered(node: Any, values: Mapping[str, str]) -> Any:
    if isinstance(node, str):
        return PLACE.sub(lambda found: values[found[1]], node)
    if isinstance(node, list):
        return [_rendered(item, values) for item in node]
    if not isinstance(node, dict):
        return node
    result: dict[str, Any] = {}
    for key, value in node.items():
        done = _rendered(value, values)
        result |= _parts(done) if key == "createOptions" else {key: done}
    return result


def _parts(options: Any) -> dict[str, str]:
    text = json.dumps(options, separators=(",", ":"))
    parts = [text[start : start + PART_CHARACTERS] for start in range(0, len(text), PART_CHARACTERS)]
    if len(parts) > MAX_PARTS:
        raise ValueError(f"createOptions may have {PART_CHARACTERS * MAX_PARTS} characters, these have {len(text)}")
    return {f"createOptions{number:02}" if number else "createOptions": part for number, part in enumerate(parts)}


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    base = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            base.pop(key, None)
        else:
            base[key] = _merged(base.get(key), value)
    return base


if __name__ == "__main__":
    sys.exit(main())
