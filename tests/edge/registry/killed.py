"""Runs the store's work again and again, killed one file operation later each time, and looks at what is left.

``python -m tests.edge.registry.killed STORE MODELS`` expects version 1 to serve from STORE and version 2 to wait in
MODELS. It prints how many moments it died at, or fails with what was wrong after one of them.
"""

import os
import shutil
import sys
from itertools import count
from pathlib import Path

from edge.bundle import Bundle
from edge.bundle.signature import read_signatures
from edge.errors import ModelUntrustedError
from edge.registry.local import LocalRegistry
from edge.registry.state import Kept, activated
from edge.registry.store import Store

OPERATIONS = ("open", "os.", "shutil.", "fcntl.")


def die_at(moment: int) -> None:
    """End this process, as SIGKILL would, when it is about to do its ``moment``-th file operation."""
    left = count(moment - 1, -1)

    def hook(event: str, _: object) -> None:
        if event.startswith(OPERATIONS) and next(left) == 0:
            os._exit(9)

    sys.addaudithook(hook)


def upgrade(store_root: Path, models: Path) -> None:
    """Take version 2 as the daemon does."""
    registry = LocalRegistry(models)
    with Store(store_root, trust=vouched) as store:
        newest = registry.candidates()[0]
        store.pull(registry, newest)
        kept = Kept(newest.name, newest.version, newest.digest)
        store.loading.begin(kept)
        store.loading.end(kept)
        store.remember(activated(store.state, kept, pinned=False))


def vouched(bundle: Bundle) -> None:
    """Refuse a bundle that came without its signature."""
    if not read_signatures(bundle.folder):
        raise ModelUntrustedError(f"{bundle} is not signed")


def check(store_root: Path, moment: int) -> str:
    """Return the version that serves after the restart, having opened every bundle that is remembered."""
    with Store(store_root, trust=vouched) as store:
        if store.damage or store.state.current is None:
            raise SystemExit(f"moment {moment}: {store.damage or 'nothing is remembered'}")
        for kept in store.state.kept:
            store.open(kept)
            if store.loading.deaths_with(kept) and kept != store.state.current:
                raise SystemExit(f"moment {moment}: {kept} is suspected, which was not being loaded")
        if list(store_root.rglob(".partial-*")):
            raise SystemExit(f"moment {moment}: a partial folder is left")
        return store.state.current.version


def main(store_root: Path, models: Path) -> None:
    """Die at each moment in turn until the work gets through; the old version serves until the new one does."""
    start = store_root.with_name("start")
    shutil.copytree(store_root, start)
    seen = []
    for moment in count(1):
        pid = os.fork()
        if pid == 0:
            die_at(moment)
            upgrade(store_root, models)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        seen.append(check(store_root, moment))
        if os.waitstatus_to_exitcode(status) != 9:
            break
        shutil.rmtree(store_root)
        shutil.copytree(start, store_root)
    if os.waitstatus_to_exitcode(status) != 0 or seen != sorted(seen) or set(seen) != {"1", "2"}:
        raise SystemExit(f"wrong versions after the kills: {seen}")
    sys.stdout.write(f"{len(seen) - 1}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
