"""What a single key may hold: paths, topic levels, tokens, ports, spans of time."""

import base64
import ipaddress
import re
import socket
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationInfo

KEY_PREFIX = "ed25519:"
KEY_BYTES = 32

_TOPIC_LEVEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def _text(path: object) -> object:
    """Return a default as it would stand in a file, which is what pydantic expects when it reads JSON."""
    return str(path) if isinstance(path, Path) else path


def anchored(path: Path, info: ValidationInfo) -> Path:
    """Return a path from the folder in the validation's context; ``~`` is the home folder."""
    base = info.context["base"] if info.context else Path()
    return base / path.expanduser()


def _topic_level(text: str) -> str:
    if not _TOPIC_LEVEL.fullmatch(text):
        raise ValueError("must be letters, digits, '.', '_' or '-', begin with a letter or digit, and hold at most 128")
    return text


def _topic_prefix(text: str) -> str:
    for level in text.split("/"):
        if not _TOPIC_LEVEL.fullmatch(level):
            raise ValueError("must be topic levels of letters, digits, '.', '_' or '-', joined by single slashes")
    return text


def _header_safe(token: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[!-~]+", token.get_secret_value()):
        raise ValueError("must be printable ASCII without spaces, and not empty")
    return token


def public_key(text: str) -> str:
    """Return a public key as it was given. Raises ValueError for anything else."""
    try:
        key = base64.b64decode(text.removeprefix(KEY_PREFIX), validate=True)
    except ValueError:
        key = b""
    if not text.startswith(KEY_PREFIX) or len(key) != KEY_BYTES:
        raise ValueError(f"must be {KEY_PREFIX} and 32 bytes in base64, as automl-edge models keygen prints it")
    return text


def host_name() -> str:
    """Return this machine's name with all that a topic cannot hold replaced by ``-``."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", socket.gethostname()).strip("._-")
    return name[:128] or "device"


def is_loopback(host: str) -> bool:
    """Tell whether an address to bind is reachable from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _tag(text: str) -> str:
    if not text.partition("=")[0].strip():
        raise ValueError("must be a tag's key, or key=value")
    return text


ConfigPath = Annotated[Path, Field(strict=False), BeforeValidator(_text), AfterValidator(anchored)]
"""A path; a relative one is joined to the folder in the validation context's ``base``; ``~`` is the home folder."""
TopicLevel = Annotated[str, AfterValidator(_topic_level)]
"""One level of an MQTT topic, safe in file names too."""
TopicPrefix = Annotated[str, AfterValidator(_topic_prefix)]
"""One or more levels."""
Token = Annotated[SecretStr, AfterValidator(_header_safe)]
"""A secret that fits into an HTTP header."""
PublicKey = Annotated[str, AfterValidator(public_key)]
"""An Ed25519 public key: ``ed25519:`` and its 32 bytes in base64."""
Share = Annotated[float, Field(ge=0, le=1)]
"""A part of a whole, 0..1."""
BundleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""A model's name or version, as in a bundle's manifest."""
TagText = Annotated[str, AfterValidator(_tag)]
"""A tag of Azure's: its key, or ``key=value``."""
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86400)]
