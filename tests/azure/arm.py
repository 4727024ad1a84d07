"""The control plane's memory: resources by path, as ARM keeps them."""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

SUBSCRIPTION = "00000000-0000-0000-0000-000000000001"
TENANT = "00000000-0000-0000-0000-00000000000a"
RESOURCE_GROUP = "plant"
WORKSPACE = "vision"
PROVIDER = "/providers/Microsoft.MachineLearningServices"
GROUP_PATH = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{RESOURCE_GROUP}"
WORKSPACE_PATH = f"{GROUP_PATH}{PROVIDER}/workspaces/{WORKSPACE}"

Body = dict[str, Any]


class ArmError(Exception):
    """Answered as ARM words its errors."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Resources:
    """What was put, by path; what nobody put is not there. Paths are compared without regard to case, as ARM does."""

    def __init__(self) -> None:
        self._bodies: dict[str, Body] = {}
        self._lock = threading.RLock()
        self.clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def put(self, path: str, properties: Mapping[str, Any], **top: Any) -> Body:
        """Make or replace a resource; when it was made stays."""
        with self._lock:
            now = self.clock().isoformat()
            before = self._bodies.get(path.lower())
            made = before["systemData"]["createdAt"] if before else now
            who = {"createdBy": "tester", "createdByType": "User", "lastModifiedBy": "tester"}
            body = {
                "id": path,
                "name": path.rsplit("/", 1)[-1],
                "properties": dict(properties),
                "systemData": {**who, "createdAt": made, "lastModifiedAt": now, "lastModifiedByType": "User"},
                **top,
            }
            self._bodies[path.lower()] = body
            return body

    def get(self, path: str) -> Body:
        with self._lock:
            body = self._bodies.get(path.lower())
        if body is None:
            raise ArmError(404, "UserError", f"Not found: {path.rsplit('/', 2)[-1]}")
        return body

    def has(self, path: str) -> bool:
        with self._lock:
            return path.lower() in self._bodies

    def delete(self, path: str) -> None:
        with self._lock:
            self._bodies.pop(path.lower(), None)

    def below(self, path: str) -> list[Body]:
        """Return what lies directly below a path, in the order in which it was made."""
        prefix = f"{path.lower()}/"
        with self._lock:
            found = [(p, b) for p, b in self._bodies.items() if p.startswith(prefix)]
        return [body for p, body in found if "/" not in p[len(prefix) :]]

    def __iter__(self) -> Iterator[Body]:
        with self._lock:
            return iter(list(self._bodies.values()))
