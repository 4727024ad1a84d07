"""A hub on this machine: answers what huggingface_hub asks for a file of a repository, over real HTTP."""

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

REVISION = "0123456789abcdef0123456789abcdef01234567"
Files = Mapping[str, bytes]


@dataclass
class Hub:
    """Repositories by name, each with its files, at one revision; and the requests so far."""

    repositories: Mapping[str, Files]
    address: str = ""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)


class Server(ThreadingHTTPServer):
    """Listens at a free port of this machine."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.hub = hub
        hub.address = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Answers ``/OWNER/NAME/resolve/REVISION/FILE``."""

    server: Server

    def do_HEAD(self) -> None:
        self._answer(content=False)

    def do_GET(self) -> None:
        self._answer(content=True)

    def _answer(self, *, content: bool) -> None:
        hub = self.server.hub
        hub.asked.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        repository, _, place = self.path.lstrip("/").partition("/resolve/")
        revision, _, name = place.partition("/")
        files = hub.repositories.get(repository)
        if files is None:
            self._refuse("RepoNotFound")
        elif revision not in ("main", REVISION):
            self._refuse("RevisionNotFound")
        elif name not in files:
            self._refuse("EntryNotFound")
        else:
            self._give(files[name], content=content)

    def _give(self, data: bytes, *, content: bool) -> None:
        self.send_response(200)
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if content:
            self.wfile.write(data)

    def _refuse(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@contextmanager
def serving(repositories: Mapping[str, Files]) -> Iterator[Hub]:
    """Answer until the block ends."""
    hub = Hub(repositories)
    with Server(hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()


def config(mean: float, std: float) -> bytes:
    """Return a configuration as timm writes it, of pictures normalised by one mean and deviation for all colours."""
    return json.dumps({"architecture": "x", "pretrained_cfg": {"mean": [mean] * 3, "std": [std] * 3}}).encode()
