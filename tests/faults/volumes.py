"""Small file systems of our own, to fill and to break. Needs root and the right to mount; Linux only."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MIB = 1 << 20
BALLAST = "ballast"


class NoVolumeError(Exception):
    """This machine gives us none; the text says why."""


@contextmanager
def memory_volume(folder: Path, megabytes: int) -> Iterator[Path]:
    """Give an empty file system of this size. Raises NoVolumeError."""
    folder.mkdir(parents=True)
    _mount("-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder))
    with _mounted(folder):
        yield folder


@contextmanager
def disk_volume(folder: Path, megabytes: int) -> Iterator[Path]:
    """Give an empty ext4 in a file of this size, that can turn read-only as a dying disk does. Raises NoVolumeError."""
    folder.mkdir(parents=True)
    image = folder.with_name(f"{folder.name}.img")
    with image.open("wb") as file:
        file.truncate(megabytes * MIB)
    make = shutil.which("mkfs.ext4", path=f"{os.defpath}:/usr/sbin:/sbin")
    if make is None:
        msg = "mkfs.ext4 is not installed (apt-get install e2fsprogs)"
        raise NoVolumeError(msg)
    subprocess.run([make, "-q", str(image)], check=True, capture_output=True)
    mount_again(folder)
    with _mounted(folder):
        yield folder


def mount_again(folder: Path) -> None:
    """Mount a disk volume, also after it had turned read-only. Raises NoVolumeError."""
    unmount(folder)
    _mount("-o", "loop", str(folder.with_name(f"{folder.name}.img")), str(folder))


def settle(folder: Path) -> None:
    """Have everything that was written to a volume reach its disk, as it does within seconds by itself."""
    subprocess.run(["sync", "--file-system", str(folder)], check=True, capture_output=True)


def turn_read_only(folder: Path) -> None:
    """Let a disk volume fail: from now on every write is refused, also to files that are open."""
    subprocess.run(["mount", "-o", "remount,abort", str(folder)], check=False, capture_output=True)


def unmount(folder: Path) -> None:
    """Take a volume away, at the latest when the last process lets go of it."""
    subprocess.run(["umount", "--lazy", str(folder)], check=False, capture_output=True)


def fill(folder: Path) -> None:
    """Write until the disk is full."""
    with (folder / BALLAST).open("ab", buffering=0) as ballast, suppress(OSError):
        for size in (64 * 1024, 4096, 512, 1):
            with suppress(OSError):
                while True:
                    ballast.write(bytes(size))


def relieve(folder: Path) -> None:
    """Make room again."""
    (folder / BALLAST).unlink(missing_ok=True)


def _mount(*arguments: str) -> None:
    if os.geteuid() != 0:
        msg = "only root may mount a small disk to fill"
        raise NoVolumeError(msg)
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    if done.returncode != 0:
        msg = f"no small disk can be mounted here: {done.stderr.strip()}"
        raise NoVolumeError(msg)


@contextmanager
def _mounted(folder: Path) -> Iterator[None]:
    try:
        yield
    finally:
        unmount(folder)
