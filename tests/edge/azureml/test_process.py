"""The process itself, as the daemon starts it: what goes in and comes out of its pipes, and how it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from edge.bundle import open_bundle
from edge.errors import RegistryError
from edge.ports import Survey
from edge.registry.azureml import AzureMlRegistry, Followed
from edge.registry.inquiry import Failure, Inquiry, Message, Progress, parse_message
from tests.azure.arm import WORKSPACE_PATH
from tests.azure.blobs import free_port
from tests.azure.standin import Cloud
from tests.edge.azureml.held import NAME, Asker, files_of, put_automl, put_bundle
from tests.fakes import make_bundle, rehash
from tests.mosquitto import until

COMMAND = [sys.executable, "-m", "edge.azureml"]
ROOT = Path(__file__).parents[3]
MOST_BYTES = 150_000_000


def _ask(inquiry: Inquiry) -> tuple[list[Message], str]:
    """Return all messages and what went to standard error."""
    done = subprocess.run(COMMAND, input=inquiry.line(), capture_output=True, cwd=ROOT, check=True, timeout=60)
    return [parse_message(line) for line in done.stdout.splitlines()], done.stderr.decode()


def test_an_inquiry_in_and_an_answer_out(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """Signs of life, then the answer; nothing else is said, not by the SDK either."""
    put_bundle(azure, tmp_path)
    messages, complaints = _ask(asker.inquiry("survey"))
    assert isinstance(messages[0], Progress)
    survey = messages[-1]
    assert isinstance(survey, Survey)
    assert all(isinstance(message, Progress) for message in messages[:-1])
    (candidate,) = survey.candidates
    into = asker.into()
    fetched, more = _ask(asker.inquiry("fetch", version="1", digest=candidate.digest, into=str(into)))
    assert fetched[-1] == "fetched"
    assert open_bundle(into).digest == candidate.digest
    assert complaints + more == ""


def test_a_traced_model_comes_through_the_process(azure: Cloud, asker: Asker) -> None:
    """The one that makes the bundle is another one, started by it."""
    put_automl(azure, "calm_sky_HD_3")
    messages, _ = _ask(asker.inquiry("survey"))
    survey = messages[-1]
    assert isinstance(survey, Survey)
    assert [c.version for c in survey.candidates] == ["1"]


def test_an_unreachable_storage_is_told_without_its_signature(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """The network's errors quote the whole URL."""
    put_bundle(azure, tmp_path, tagged=False)
    path = f"{WORKSPACE_PATH}/datastores/workspaceblobstore"
    properties = azure.resources.get(path)["properties"]
    azure.resources.put(path, {**properties, "accountName": f"127.0.0.1:{free_port()}/devstoreaccount1#"})
    messages, complaints = _ask(asker.inquiry("survey"))
    failure = messages[-1]
    assert isinstance(failure, Failure)
    assert (failure.error, failure.kind) == ("RegistryError", "unreachable")
    assert not re.search(r"sig=[A-Za-z0-9%]", failure.reason + complaints)


def test_its_memory_does_not_grow_with_the_model(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """``python -m bench azure`` measures 200 MB; 60 MB held whole would be over the bound too."""
    folder = make_bundle(tmp_path / "bundles" / "1", name=NAME)
    (folder / "model.onnx").write_bytes(os.urandom(60_000_000))
    rehash(folder)
    put_bundle(azure, tmp_path)
    inquiry = asker.inquiry("fetch", version="1", digest=open_bundle(folder).digest, into=str(asker.into()))
    with subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(inquiry.line())
        process.stdin.close()
        peaks, messages = [], []
        for line in process.stdout:
            messages.append(parse_message(line))
            with suppress(OSError):  # it ends with its last word
                peaks += re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    assert messages[-1] == "fetched"
    assert max(map(int, peaks)) * 1024 < MOST_BYTES


def test_it_dies_with_who_asks(azure: Cloud, asker: Asker) -> None:
    """However that one ends; signals that stop all processes do not end it before its time."""
    azure.wire.break_("/models/", hang_s=60)
    program = (
        "import subprocess, sys; p = subprocess.Popen([sys.executable, '-m', 'edge.azureml'], stdin=subprocess.PIPE,"
        " stdout=subprocess.PIPE); p.stdin.write(sys.argv[1].encode()); p.stdin.flush(); print(p.pid, flush=True);"
        " p.wait()"
    )
    line = asker.inquiry("survey", who={"timeout_s": 60.0}).line().decode()
    with subprocess.Popen([sys.executable, "-c", program, line], stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        until(lambda: bool(child.net_connections()), within_s=30, what="its request")
        child.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert child.is_running()
        parent.kill()
    until(lambda: not child.is_running(), within_s=5, what="the end of the child")


def test_what_is_no_inquiry_is_refused(azure: Cloud) -> None:
    """Started by hand it says who starts it."""
    del azure
    done = subprocess.run(COMMAND, input=b"", capture_output=True, cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 1
    assert b"the daemon starts this program" in done.stderr
    assert done.stdout == b""


def test_a_device_without_the_packages_is_told_to_install_them(azure: Cloud, asker: Asker) -> None:
    """They are an extra: who follows a folder does without."""
    del azure
    program = "import sys; sys.modules['azure'] = None; from edge.azureml.asking import main; main()"
    line = asker.inquiry("survey").line()
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, input=line, capture_output=True, cwd=ROOT, check=True, timeout=60)
    failure = parse_message(done.stdout.splitlines()[-1])
    assert isinstance(failure, Failure)
    assert "pip install 'automl-edge[azure]'" in failure.reason


def test_nothing_heavy_is_loaded_that_is_not_needed() -> None:
    """The peak of memory is the SDK's: numpy, onnxruntime and Pillow would add a quarter."""
    program = "import edge.azureml.asking, sys; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ["numpy", "onnxruntime", "PIL", "azure", "cv2"]
    done = subprocess.run(
        [sys.executable, "-c", program, *heavy], capture_output=True, cwd=ROOT, check=True, env=os.environ, timeout=60
    )
    assert done.stdout.strip() == b"[]"


def test_the_daemons_registry_speaks_to_it(azure: Cloud, asker: Asker, tmp_path: Path) -> None:
    """Both sides of the pipe together: a look and a download, and a refusal with Azure's own wish."""
    folder = put_bundle(azure, tmp_path)
    followed = Followed(asker.inquiry("survey").azure, NAME, tmp_path / "cache")
    registry = AzureMlRegistry(followed)
    (candidate,) = registry.survey().candidates
    into = asker.into()
    registry.fetch(candidate, into)
    assert files_of(into) == files_of(folder)
    azure.wire.break_("/models/", 429, headers={"Retry-After": "300"})
    with pytest.raises(RegistryError, match="fewer requests"):
        registry.survey()
    asked = len(azure.wire.exchanges)
    with pytest.raises(RegistryError, match="fewer requests"):
        registry.survey(asked=True)
    assert len(azure.wire.exchanges) == asked
