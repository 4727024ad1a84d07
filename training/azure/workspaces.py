"""Which workspace: as told, else as the environment says, else as a file that Azure's own tools write."""

import configparser
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from edge.azureml.place import Workspace
from training.errors import UsageError

FILES = ("config.json", ".azureml/config.json", "aml_config/config.json", "config.ini")
"""Where a workspace may be written down, in a folder or one above it."""
KEYS: Mapping[str, tuple[str, ...]] = {
    "subscription_id": ("subscription_id", "subscription", "subscription-id"),
    "resource_group": ("resource_group", "resource-group", "resource_group_name"),
    "workspace": ("workspace_name", "workspace", "workspace-name"),
}
"""What is needed, and the names that files give it."""


def find_workspace(told: Mapping[str, str | None], file: Path | None, start: Path) -> Workspace:
    """Return the workspace of what was ``told`` (subscription_id, resource_group, workspace), completed by a file.

    The file is the one given, else the first of :data:`FILES` in ``start`` or a folder above it that says anything of
    a workspace: other programs have files of these names as well.

    Raises:
        UsageError: something is missing, or the file that was given makes no sense.
    """
    given = {key: value for key, value in told.items() if value}
    found, written = (None, {}) if len(given) == len(KEYS) else _written(file, start)
    known = {**written, **given}
    missing = [key for key in KEYS if not known.get(key)]
    if missing:
        where = f"; {found} has none" if found else f"; there is no {' or '.join(FILES)} of one in {start} or above"
        raise UsageError(
            f"which workspace? {', '.join(missing)} missing: pass --subscription, --resource-group and --workspace, "
            f"set AZUREML_ARM_SUBSCRIPTION, AZUREML_ARM_RESOURCEGROUP and AZUREML_ARM_WORKSPACE_NAME, or download "
            f"config.json in Azure's portal{where}"
        )
    return Workspace(known["subscription_id"], known["resource_group"], known["workspace"])


def _written(file: Path | None, start: Path) -> tuple[Path | None, dict[str, str]]:
    """Return the file that counts and what it says."""
    if file is not None:
        return file, _read(file)
    for path in _files(start):
        try:
            written = _read(path)
        except UsageError:
            continue  # nobody named it: some other program's
        if written:
            return path, written
    return None, {}


def _files(start: Path) -> Iterator[Path]:
    for folder in (start, *start.parents):
        yield from (folder / name for name in FILES if (folder / name).is_file())


def _read(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        entries = _ini(text) if path.suffix == ".ini" else json.loads(text)
        lowered = {str(key).lower(): value for key, value in entries.items()}
    except (OSError, ValueError, AttributeError, configparser.Error) as error:
        said = " ".join(str(error).split())
        raise UsageError(f"{path}: cannot be read as a workspace's file ({said})") from error
    found = {key: next((lowered[name] for name in names if lowered.get(name)), None) for key, names in KEYS.items()}
    return {key: value.strip().strip("\"'") for key, value in found.items() if isinstance(value, str)}


def _ini(text: str) -> dict[str, str]:
    """Return the entries of all sections; a file without any is one section."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith(("#", ";"))), "")
    parser.read_string(text if first.startswith("[") else f"[workspace]\n{text}")
    return {key: value for section in parser.sections() for key, value in parser[section].items()}
