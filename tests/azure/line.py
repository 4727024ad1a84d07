"""The whole line as a user walks it: pictures, data assets, job, best trial, bundle, registered model, device.

Told once; walked against the stand-in (``test_line.py``) and against real Azure (``live/test_line.py``).
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from click.testing import CliRunner, Result

from tests.daemon import RunningDaemon
from tests.fakes import COLOURS, encoded, picture
from training.cli import main

SHADES = 12
"""Pictures of each class: AutoML wants ten at least."""
JOB = """
task = "image-classification"
training_data = "{training}"
validation_data = "{validation}"
target_column = "label"
compute = "{compute}"
experiment = "automl-edge-line"

[limits]
timeout_minutes = 60

[model]
model_name = "mobilenetv2"
number_of_epochs = 2
"""


@dataclass(slots=True)
class Line:
    """One walk: ``where`` are the options that name the workspace, ``name`` that of data and model."""

    folder: Path
    where: Sequence[str]
    name: str
    compute: str
    said: list[str] = field(default_factory=list)

    def run(self, *words: object, exit_code: int = 0) -> Result:
        """Run a command as typed; fail with what it printed."""
        told = [str(word) for word in words]
        result = CliRunner().invoke(main, told, catch_exceptions=False)
        self.said.append(f"$ automl-train {' '.join(told)}\n{result.output}")
        assert result.exit_code == exit_code, "\n".join(self.said)
        return result

    def azure(self, *words: object, exit_code: int = 0) -> Result:
        return self.run("azure", words[0], *words[1:], *self.where, exit_code=exit_code)

    def pictures(self) -> Path:
        """Write pictures of the colours, each class in its folder, no two alike."""
        for label, (red, green, blue) in COLOURS.items():
            folder = self.folder / "pictures" / label
            folder.mkdir(parents=True)
            for shade in range(SHADES):
                shaded = encoded(picture((red + shade % 3, green + shade // 3 % 3, blue + shade // 9)))
                (folder / f"{label}_{shade}.png").write_bytes(shaded)
        return self.folder / "pictures"

    def known(self) -> Path:
        """Write pictures with known answers."""
        for label, colour in COLOURS.items():
            (self.folder / "known" / label).mkdir(parents=True)
            (self.folder / "known" / label / "one.png").write_bytes(encoded(picture(colour)))
        return self.folder / "known"

    def train(self, job: str, *, finish: Callable[[str], object]) -> None:
        """From pictures to a finished job. ``finish`` is called once it is submitted."""
        self.azure("login-check")
        uploaded = json.loads(
            self.run("data", "upload", self.pictures(), "--name", self.name, "--json", *self.where).stdout
        )
        self.azure("compute", "ensure", self.compute, "--size", "Standard_NC4as_T4_v3", "--min", 0, "--max", 1)
        file = self.folder / "job.toml"
        assets = {part: asset["reference"] for part, asset in uploaded["assets"].items()}
        file.write_text(JOB.format(training=assets["train"], validation=assets["validation"], compute=self.compute))
        self.azure("submit", file, "--name", job)
        finish(job)
        self.azure("watch", job)
        self.azure("leaderboard", job)

    def release(self, job: str, version: str, *, known: Path) -> None:
        """From a finished job to a registered version that devices follow."""
        bundle = self.folder / f"bundle-{version}"
        self.azure("fetch", job, "--model", self.name, "--version", version, "--golden", known, "--output", bundle)
        self.azure("register", bundle)
        self.azure("promote", f"{self.name}:{version}", "--tag", "line=prod")


def device_config(folder: Path, name: str, azure: dict[str, Any]) -> Path:
    """Write a device's configuration that follows the tag ``line=prod``."""
    settings = "\n".join(f"{key} = {json.dumps(value)}" for key, value in azure.items())
    file = folder / "edge.toml"
    file.write_text(f'[model]\nname = "{name}"\n[registry]\nkind = "azureml"\ntag = "line=prod"\n[azure]\n{settings}\n')
    return file


@contextmanager
def asked_without_pause(daemon: RunningDaemon) -> Iterator[list[tuple[int, str]]]:
    """Send one picture after the other meanwhile; give status and model version of each answer."""
    answers: list[tuple[int, str]] = []
    stop = threading.Event()
    body = encoded(picture(COLOURS["red"]))

    def ask() -> None:
        with httpx.Client(base_url=daemon.url, timeout=20) as client:
            while not stop.wait(0.02):
                answer = client.post("/v1/predict", content=body)
                answers.append((answer.status_code, answer.json().get("model", {}).get("version", "")))

    thread = threading.Thread(target=ask, name="asking")
    thread.start()
    try:
        yield answers
    finally:
        stop.set()
        thread.join(20)
