"""What the daemon asks of the process that talks to Azure, and what comes back: JSON lines over its pipes.

The inquiry goes in as one line. Lines come out: ``progress`` now and then, so that silence means a hang; then an
answer. The process, ``python -m edge.azureml``, is short-lived: the SDK costs 100 MB and a second, which its end gives
back.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from edge.ports import Candidate, Survey


@dataclass(frozen=True, slots=True)
class Azure:
    """Where and who, as the configuration says it.

    Either the three parts of a workspace or ``shared_registry`` are given. ``cloud`` is a name or the path of a file of
    endpoints, ``certificate`` the path of a PEM file. ``timeout_s`` bounds each wait for an answer of Azure's.
    """

    subscription_id: str = ""
    resource_group: str = ""
    workspace: str = ""
    shared_registry: str = ""
    credential: str = "default"
    tenant_id: str = ""
    client_id: str = ""
    client_secret: str = ""
    certificate: str = ""
    cloud: str = "AzureCloud"
    timeout_s: float = 30.0

    def __repr__(self) -> str:
        """Leave the secret out."""
        return f"Azure({self.shared_registry or self.workspace}, {self.credential})"


@dataclass(frozen=True, slots=True)
class Inquiry:
    """One question.

    ``survey`` asks for the versions of model ``name`` (those that have ``stage``, and ``tag``, a key or ``key=value``,
    where these are given; ``version`` alone where it is given). ``fetch`` asks for the bundle of ``version``, whose
    manifest has ``digest``, in the empty folder ``into``. ``cache`` is a folder that outlives the process, for bundles
    that had to be made of what AutoML registered.
    """

    do: Literal["survey", "fetch"]
    azure: Azure
    name: str
    cache: str
    stage: str = ""
    tag: str = ""
    version: str = ""
    digest: str = ""
    into: str = ""

    def line(self) -> bytes:
        """Return it as it goes over the pipe."""
        return json.dumps(asdict(self)).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer: ``error`` is a class of :mod:`edge.errors`, ``kind`` says whose fault it is."""

    error: str
    kind: str
    reason: str
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """A sign of life: how many bytes of how many are here."""

    took: int = 0
    of: int = 0


Message = Survey | Failure | Progress | Literal["fetched"]


def parse_inquiry(line: bytes) -> Inquiry:
    """Return the inquiry in a line that :meth:`Inquiry.line` wrote. Raises ValueError."""
    try:
        body = json.loads(line)
        return Inquiry(**{**body, "azure": Azure(**body["azure"])})
    except (KeyError, TypeError) as error:
        raise ValueError(f"not an inquiry: {error!r}") from error


def message_line(message: Message) -> bytes:
    """Return a message as it goes over the pipe."""
    return json.dumps(_body(message)).encode() + b"\n"


def _body(message: Message) -> Mapping[str, Any]:
    if isinstance(message, Survey):
        candidates = [{**asdict(one), "created_at": one.created_at.isoformat()} for one in message.candidates]
        return {"survey": {"candidates": candidates, "refused": dict(message.refused)}}
    if isinstance(message, Failure):
        return {"failure": asdict(message)}
    return {"progress": asdict(message)} if isinstance(message, Progress) else {"fetched": True}


def parse_message(line: bytes) -> Message:
    """Return the message in a line that :func:`message_line` wrote. Raises ValueError."""
    try:
        ((kind, body),) = json.loads(line).items()
        if kind == "fetched":
            return "fetched"
        if kind == "failure":
            return Failure(**body)
        return Progress(**body) if kind == "progress" else _survey(body)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"not a message: {error!r}") from error


def _survey(body: Mapping[str, Any]) -> Survey:
    found = [{**one, "created_at": datetime.fromisoformat(one["created_at"])} for one in body["candidates"]]
    return Survey(tuple(Candidate(**one) for one in found), dict(body["refused"]))
