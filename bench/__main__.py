"""``python -m bench [NAME ...]``: run the benchmarks and print their figures beside the targets."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import azure_download, outbox, overload, preprocess, replay, serving, start, swap
from bench.report import Report, as_json, machine, page, table

BENCHMARKS: Mapping[str, Callable[[Path], Report]] = {
    "preprocess": lambda _registry: preprocess.run(),
    "http": serving.run,
    "start": start.run,
    "swap": swap.run,
    "overload": overload.run,
    "outbox": outbox.run,
    "replay": replay.run,
    "azure": azure_download.run,
    "precision": lambda _registry: _precision(),
}


def _precision() -> Report:
    from bench import precision  # noqa: PLC0415 - torch, which no other benchmark needs

    return precision.run()


def main() -> int:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(BENCHMARKS)}; all without one")
    parser.add_argument("--registry", type=Path, default=Path("models"), help="folder of models (default: models)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything to FILE; - is standard output")
    parser.add_argument("--page", type=Path, metavar="FILE", help="also write a page of Markdown to FILE")
    asked = parser.parse_args()
    unknown = sorted(set(asked.names) - set(BENCHMARKS))
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    where, reports = machine(), []
    people = sys.stderr if asked.json == Path("-") else sys.stdout
    print(f"{where['processor']}, {where['cores']} cores, Python {where['python']}", file=people)
    for name in asked.names or BENCHMARKS:
        reports.append(BENCHMARKS[name](asked.registry.resolve()))
        print(f"\n{table(reports[-1])}", file=people, flush=True)
    if asked.page is not None:
        asked.page.write_text(page(reports, where), encoding="utf-8")
    if asked.json is not None:
        text = json.dumps(as_json(reports, where), indent=2)
        print(text) if asked.json == Path("-") else asked.json.write_text(f"{text}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
