"""What goes to the rehearsing process and what comes back, as JSON. Pure.

The task is the process's one argument. It answers with lines on its standard output: :data:`BEGUN` once it is ready to
load, then one verdict.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.session import Device  # only its name: the process that waits need not load onnxruntime for it

BEGUN = b'{"begun": true}'


@dataclass(frozen=True, slots=True)
class Task:
    """How to load a bundle, as :func:`edge.proof.load_and_prove` takes it, and how gently.

    ``niceness`` (0 to 19) is added to the process's own; ``parent`` is the process id of the one that waits.
    """

    device: "Device" = "auto"
    threads: int | None = None
    batch_sizes: tuple[int, ...] = (1,)
    max_pixels: int = 1 << 20
    niceness: int = 0
    parent: int = 0

    def text(self, folder: Path) -> str:
        """Return the argument for the process that is to rehearse the bundle in ``folder``."""
        return json.dumps({"folder": str(folder.resolve()), **asdict(self)})


def parse_task(text: str) -> tuple[Path, Task]:
    """Return the folder and the task that :meth:`Task.text` wrote."""
    body = json.loads(text)
    folder = Path(body.pop("folder"))
    return folder, Task(**{**body, "batch_sizes": tuple(body["batch_sizes"])})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rehearsal found: the provider that ran the model, or an error of edge.errors by name, and its text."""

    provider: str | None = None
    error: str | None = None
    reason: str = ""

    def line(self) -> bytes:
        """Return the verdict as one line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"


def parse_verdict(data: bytes) -> Verdict | None:
    """Return the verdict among the lines of a process's output, None where it never came to one."""
    for line in reversed(data.splitlines()):
        try:
            verdict = Verdict(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            continue
        if verdict.provider is not None or verdict.error is not None:
            return verdict
    return None
