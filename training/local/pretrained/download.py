"""Gets a repository's weights from the Hugging Face hub: a process of its own, which whoever waits for it may end.

Run as ``python -m training.local.pretrained.download REPOSITORY REVISION PARENT``; an empty revision is the newest that
the cache has, or else the hub. Says one JSON object a line on standard output: how far it is, and at last either where
the files lie or what is wrong. What is in the cache is not asked for.
"""

import json
import sys
from collections.abc import Mapping
from typing import Any

import huggingface_hub
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.tqdm import tqdm

from edge.limits import die_with

CONFIG = "config.json"
FILES = ("model.safetensors", "pytorch_model.bin")
"""The first that a repository has is taken: the one that nothing can be hidden in."""


class Progress(tqdm):
    """Tells how many bytes are there instead of drawing a bar."""

    def __init__(self, *args: Any, **kwds: Any) -> None:
        self._there = int(kwds.get("initial") or 0)
        self._all = kwds.get("total")
        super().__init__(*args, **{**kwds, "disable": True})  # type: ignore[no-untyped-call] # it publishes no types

    def update(self, n: float | None = 1) -> None:
        """Tell that so many more bytes are there."""
        self._there += int(n or 0)
        say(bytes=self._there, total=self._all)


PROBLEMS: Mapping[type[Exception], str] = {
    GatedRepoError: "its owner lets only some in; ask there for it, then sign in with: hf auth login",
    RevisionNotFoundError: "it has no such revision",
    RepositoryNotFoundError: "there is no such repository, or it is private and you are not signed in (hf auth login)",
    OfflineModeIsEnabled: "HF_HUB_OFFLINE is set, and it is not in the cache",
    LocalEntryNotFoundError: "the hub cannot be reached, and it is not in the cache",
    EntryNotFoundError: f"it holds neither {' nor '.join(FILES)}",
    HFValidationError: "that is no name of a repository",
    HfHubHTTPError: "the hub answers {}",
}
"""What an error means; of several that fit the first."""


def main(repository: str, revision: str) -> None:
    """Get the files and say where they lie."""
    say(begun=True)
    try:
        say(weights=_weights(repository, revision or None), config=_config(repository, revision or None))
    except tuple(PROBLEMS) as exc:
        problem = next(text for kind, text in PROBLEMS.items() if isinstance(exc, kind))
        say(problem=problem.format(exc.response.status_code if isinstance(exc, HfHubHTTPError) else ""))


def say(**told: Any) -> None:
    """Tell whoever waits."""
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


def _weights(repository: str, revision: str | None) -> str:
    for local in (True, False):
        for name in FILES:
            path = _file(repository, name, revision, local=local)
            if path:
                return path
    raise EntryNotFoundError(f"{repository}: no weights")


def _config(repository: str, revision: str | None) -> str | None:
    return _file(repository, CONFIG, revision, local=True) or _file(repository, CONFIG, revision, local=False)


def _file(repository: str, name: str, revision: str | None, *, local: bool) -> str | None:
    """Return where a file lies, None where the repository, or the cache, has none of that name."""
    try:
        if not local:  # at once, where hf_hub_download would try again for half a minute
            huggingface_hub.get_hf_file_metadata(huggingface_hub.hf_hub_url(repository, name, revision=revision))
        got = huggingface_hub.hf_hub_download(
            repository, name, revision=revision, local_files_only=local, tqdm_class=Progress
        )
    except LocalEntryNotFoundError:
        if local:
            return None
        raise
    except EntryNotFoundError:
        return None
    return str(got)


if __name__ == "__main__":
    repository_asked, revision_asked, parent = sys.argv[1:]
    die_with(int(parent))
    main(repository_asked, revision_asked)
