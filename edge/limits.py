"""Makes a process that another waits for modest: it takes what others leave, and it never outlives who waits for it."""

import ctypes
import os
import resource
import signal
from contextlib import suppress
from pathlib import Path

PR_SET_PDEATHSIG = 1
"""``prctl(2)``: the signal that the kernel sends when the parent ends."""
OOM_FIRST = "1000"
"""Where memory runs out, the kernel ends this process before any other: ``proc_pid_oom_score_adj(5)``."""
PROC = Path("/proc")
CGROUP = Path("/sys/fs/cgroup")
SETTINGS = ("EDGE_",)
SIGN_IN = ("AZURE_", "IDENTITY_", "MSI_")
"""How variables begin that configure us, and that Azure's packages sign in with: both may hold secrets."""
RESERVE_BYTES = 64 << 20
"""What is left to others of the memory that is free when the process begins."""


def die_with(parent: int) -> None:
    """End when the parent ends, also if it did so already, and not before: what stops all processes stops it too."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def environment_without(*prefixes: str) -> dict[str, str]:
    """Return what a child process needs of this one's environment: without the variables that may hold secrets."""
    everything = os.environ  # noqa: TID251 - handed on, not read
    return {name: value for name, value in everything.items() if not name.startswith(prefixes)}


def be_modest(niceness: int) -> None:
    """Step behind others for processor time and memory, and leave no core dump, as far as the system lets us."""
    with suppress(OSError):  # a seccomp filter may forbid it
        os.nice(niceness)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError):  # a read-only /proc: then the kernel chooses by size
        (PROC / "self/oom_score_adj").write_text(OOM_FIRST)


def limit_memory() -> None:
    """Let this process take no more memory than is free now: it fails before it presses others out."""
    free = free_memory()
    if free is None:
        return
    limit = (_kib(PROC / "self/status", "VmData") or 0) + max(free - RESERVE_BYTES, 0)
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard == resource.RLIM_INFINITY or limit < hard:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def free_memory() -> int | None:
    """Return the bytes that this process may still take: of the machine, or of its control group; None: unknown."""
    free = [amount for amount in (_free_bytes(), _cgroup_free_bytes()) if amount is not None]
    return min(free, default=None)


def _free_bytes() -> int | None:
    return _kib(PROC / "meminfo", "MemAvailable")


def _cgroup_free_bytes() -> int | None:
    """Return what the control group leaves, its page cache counted as free; None where it sets no limit."""
    try:
        most = (CGROUP / "memory.max").read_text().strip()
        used = int((CGROUP / "memory.current").read_text())
        stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return None
    return None if most == "max" else max(int(most) - used + int(stat.get("inactive_file", 0)), 0)


def _kib(path: Path, key: str) -> int | None:
    """Return the bytes that a line like ``key:  123 kB`` tells."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = next((line.split() for line in lines if line.startswith(f"{key}:")), None)
    return int(found[1]) << 10 if found else None
