"""What interrupted imports leave in a registry that several may write to."""

import os
import subprocess
import sys
from pathlib import Path

from edge.bundle import SIGNATURE
from edge.bundle.signing import generate_key, sign
from edge.registry.files import partial_folder, remove_stale_partials
from edge.registry.local import LocalRegistry, register
from tests.fakes import make_bundle

KILLED = """
import os, sys
from pathlib import Path
from edge.registry.files import partial_folder
with partial_folder(Path(sys.argv[1])) as folder:
    (folder / "model.onnx").write_bytes(b"half")
    print(folder, flush=True)
    if sys.argv[2] == "killed":
        os._exit(9)
    sys.stdin.read()
"""


def age(folder: Path, *, hours: float) -> None:
    then = folder.stat().st_mtime - hours * 3600
    os.utime(folder, (then, then))


def test_what_a_killed_import_left_is_removed_later(tmp_path: Path) -> None:
    """Left alone for an hour and held by nobody, it goes when the next version is registered."""
    subprocess.run([sys.executable, "-c", KILLED, tmp_path, "killed"], check=False, capture_output=True)
    (left,) = tmp_path.glob(".partial-*")
    remove_stale_partials(tmp_path)
    assert left.exists()
    age(left, hours=2)
    bundle = make_bundle(tmp_path / "elsewhere", golden=False)
    register(bundle, tmp_path)
    assert not list(tmp_path.glob(".partial-*"))
    assert LocalRegistry(tmp_path).candidates("colours")


def test_work_in_progress_stays_however_old(tmp_path: Path) -> None:
    """A folder that another process holds is never touched."""
    command = [sys.executable, "-c", KILLED, str(tmp_path), "working"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        held = Path(process.stdout.readline().strip())
        age(held, hours=100)
        remove_stale_partials(tmp_path)
        assert (held / "model.onnx").exists()
    assert not held.exists()


def test_our_own_work_stays_too(tmp_path: Path) -> None:
    """So is one that this very process holds; a file or a link of such a name is nobody's work and stays."""
    (tmp_path / ".partial-file").write_bytes(b"")
    (tmp_path / ".partial-link").symlink_to(tmp_path / "nowhere")
    os.utime(tmp_path / ".partial-file", (0, 0))
    os.utime(tmp_path / ".partial-link", (0, 0), follow_symlinks=False)
    with partial_folder(tmp_path) as folder:
        age(folder, hours=100)
        remove_stale_partials(tmp_path)
        assert folder.exists()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_missing_registry_has_no_remains(tmp_path: Path) -> None:
    """A registry that is made by the first import is not there yet."""
    remove_stale_partials(tmp_path / "nowhere")


def test_the_signature_goes_with_the_copy(tmp_path: Path) -> None:
    """Signed before or after it was registered: a candidate tells its signatures apart by their digest."""
    generate_key(tmp_path / "key.pem")
    bundle = make_bundle(tmp_path / "bundle", golden=False)
    sign(bundle, tmp_path / "key.pem")
    copy = register(bundle, tmp_path / "models").folder
    assert (copy / SIGNATURE).read_bytes() == (bundle / SIGNATURE).read_bytes()
    registry = LocalRegistry(tmp_path / "models")
    (signed,) = registry.candidates()
    (copy / SIGNATURE).unlink()
    (unsigned,) = registry.candidates()
    assert unsigned.signature == ""
    assert signed.signature
    assert unsigned.digest == signed.digest


def test_a_signature_that_is_no_file_is_refused(tmp_path: Path) -> None:
    """A folder, a pipe or a huge file in its place: the version is not offered, and the reason names it."""
    folder = make_bundle(tmp_path / "colours/1", golden=False)
    os.mkfifo(folder / SIGNATURE)
    assert SIGNATURE in LocalRegistry(tmp_path).survey().refused["colours/1"]
    (folder / SIGNATURE).unlink()
    (folder / SIGNATURE).write_bytes(b"x" * 70_000)
    assert "more than 64 KiB" in LocalRegistry(tmp_path).survey().refused["colours/1"]
