"""What ``doctor`` looks at: each examination tells what it found and whether the configuration can live with it."""

import errno
import importlib.util
import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from edge.bundle import Bundle, open_bundle
from edge.cli.registries import configured, find
from edge.cli.remote import daemon_of
from edge.cli.selection import Wanted, choose
from edge.config import Config
from edge.config.network import HttpSection
from edge.errors import EdgeError, ModelInvalidError
from edge.proof import load_and_prove
from edge.registry.single import SingleBundle
from edge.registry.store import last_served
from edge.session import CUDA, Device, available_providers, open_session, runtime_version, usable_cores

State = Literal["ok", "warn", "fail"]

EARLIEST_YEAR = 2026
"""A clock before this version was made is wrong."""
SCARCE_MIB = 256
CONNECT_TIMEOUT_S = 3.0
MEMINFO = Path("/proc/meminfo")
CGROUP_MEMORY_MAX = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. ``fail`` is something that the configuration needs and does not get."""

    what: str
    state: State
    found: str


def examine(config: Config) -> Iterator[Finding]:
    """Yield all findings, those about the model first."""
    yield _runtime()
    yield from _model(config)
    yield _cores()
    yield _memory()
    yield _storage(config.storage.path)
    yield clock_finding(datetime.now(UTC))
    running = bool(config.http.enabled and config.http.port and daemon_of(config, None).answers())
    if config.http.enabled:
        yield _port("HTTP port", config.http.host, config.http.port, running=running)
        yield from _access(config.http)
    if config.mqtt.enabled:
        yield from _mqtt(config, running=running)
    yield from (_source(source.name, source.path) for source in config.source)


def _runtime() -> Finding:
    return Finding("onnxruntime", "ok", f"{runtime_version()} with {', '.join(available_providers())}")


def _model(config: Config) -> Iterator[Finding]:
    """Run the model that the configuration means on each device, and prove it on the configured one."""
    if config.registry.kind != "local":
        yield _registry(config)
    try:
        folder, refused = _folder(config)
    except EdgeError as error:
        yield Finding("model", "fail", str(error))
        return
    yield from (Finding("registry", "warn", refusal) for refusal in refused)
    if folder is None:
        yield Finding("model", "warn", "none is in the store yet: the daemon fetches it when it first looks")
        return
    try:
        bundle = open_bundle(folder)
        _check_trusted(bundle, config)
    except ModelInvalidError as error:
        yield Finding("model", "fail", str(error))
        return
    yield _provider(bundle, "cpu", needed=config.session.device == "cpu")
    if CUDA in available_providers() or config.session.device in ("gpu", "require-gpu"):
        yield _provider(bundle, "require-gpu", needed=config.session.device == "require-gpu")
    yield _proof(bundle, config)


def _registry(config: Config) -> Finding:
    """Look once where the configuration says; what is offered is not fetched."""
    source = configured(config)
    try:
        candidate = find(source, source.wanted)
    except EdgeError as error:
        return Finding("registry", "fail", str(error))
    made = f"{candidate.created_at:%Y-%m-%d}"
    return Finding("registry", "ok", f"{source.place} offers {candidate.name}:{candidate.version} of {made}")


def _folder(config: Config) -> tuple[Path | None, Sequence[str]]:
    """Return where the model to try lies, None where that is still afar, and what was passed over. Raises EdgeError."""
    registry = config.registry
    if registry.kind == "azureml":
        return last_served(config.storage.path), ()
    if registry.kind == "bundle":
        return SingleBundle(registry.path).folder(), ()
    version = None if config.model.version == "latest" else config.model.version
    choice = choose(registry.path, Wanted(config.model.name, version))
    return choice.folder, choice.refused


def _check_trusted(bundle: Bundle, config: Config) -> None:
    """Raise ModelUntrustedError where keys are trusted and none of them signed the bundle."""
    if config.registry.trusted_keys:
        from edge.bundle.signing import check_signed  # noqa: PLC0415 - cryptography is loaded by who needs it

        check_signed(bundle, config.registry.trusted_keys)


def _provider(bundle: Bundle, device: Device, *, needed: bool) -> Finding:
    what = "CPU" if device == "cpu" else "GPU"
    try:
        truth = open_session(bundle.model_path, device=device).truth
    except EdgeError as error:
        return Finding(what, "fail" if needed else "warn", str(error))
    spent = ", ".join(f"{ms:.1f} ms for a batch of {size}" for size, ms in truth.warmup_ms.items())
    return Finding(what, "ok", f"{truth.provider} runs the model: {spent}")


def _proof(bundle: Bundle, config: Config) -> Finding:
    session = config.session
    try:
        model, proof = load_and_prove(
            bundle, device=session.device, threads=session.threads or None, batch_sizes=session.batch_sizes
        )
    except EdgeError as error:
        return Finding("model", "fail", str(error))
    if not proof.proven:
        return Finding("model", "warn", f"{model.ref} loads, but has no golden pictures: unproven")
    return Finding("model", "ok", f"{model.ref} is proven on {model.session.provider}: its golden pictures hold")


def _cores() -> Finding:
    usable, present = usable_cores(), os.cpu_count() or 1
    limited = "" if usable == present else f" of {present}; affinity or a cgroup quota holds the others back"
    return Finding("cores", "ok", f"{usable} usable{limited}")


def _memory() -> Finding:
    try:
        entries = dict(line.split(":", 1) for line in MEMINFO.read_text().splitlines())
        free_mib, total_mib = (int(entries[key].split()[0]) >> 10 for key in ("MemAvailable", "MemTotal"))
    except (OSError, KeyError, ValueError) as error:
        return Finding("memory", "warn", f"{MEMINFO} cannot be read: {error}")
    limit = _cgroup_memory()
    return Finding(
        "memory", "ok" if free_mib >= SCARCE_MIB else "warn", f"{free_mib} MiB available of {total_mib}{limit}"
    )


def _cgroup_memory() -> str:
    try:
        text = CGROUP_MEMORY_MAX.read_text().strip()
    except OSError:
        return ""
    return f"; a cgroup limits this process to {int(text) >> 20} MiB" if text.isdecimal() else ""


def _storage(path: Path) -> Finding:
    """Judge the disk under a folder that the daemon makes if it is not there."""
    there = next(parent for parent in (path, *path.parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Finding("storage", "fail", f"{there} cannot be written; change storage.path or its permissions")
    free_mib = shutil.disk_usage(there).free >> 20
    return Finding("storage", "ok" if free_mib >= SCARCE_MIB else "warn", f"{path}: {free_mib} MiB free")


def clock_finding(now: datetime) -> Finding:
    """Judge the present time: a clock that lags years behind was never set."""
    if now.year < EARLIEST_YEAR:
        return Finding("clock", "fail", f"{now:%Y-%m-%d} is wrong: set the clock, or results carry false times")
    return Finding("clock", "ok", f"{now:%Y-%m-%d %H:%M:%S} UTC")


def _port(what: str, host: str, port: int, *, running: bool) -> Finding:
    """Try to bind; the port is free again at once. A daemon that is ``running`` has it rightly."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        if taken and running:
            return Finding(what, "ok", f"{host}:{port} is taken, and a daemon is running")
        hint = "another program has it" if taken else error.strerror
        return Finding(what, "fail", f"{host}:{port} cannot be bound: {hint}")
    return Finding(what, "ok", f"{host}:{port} is free")


def _access(http: HttpSection) -> Iterator[Finding]:
    """Read the tokens and the certificate as the daemon will, and tell what is not safe."""
    from edge.daemon.security import Security  # noqa: PLC0415 - brings the whole HTTP face

    try:
        warnings = Security(http).warnings()
    except EdgeError as error:
        yield Finding("access", "fail", str(error))
        return
    yield from (Finding("access", "warn", warning) for warning in warnings)
    if not warnings:
        who = "who has a token" if http.asks_for_token else "anybody on this machine"
        yield Finding("access", "ok", f"{who}, over {'HTTPS' if http.cert_file else 'HTTP'}")


def _mqtt(config: Config, *, running: bool) -> Iterator[Finding]:
    mqtt = config.mqtt
    if not mqtt.host:
        yield _embedded_broker()
        yield _port("MQTT port", "127.0.0.1", mqtt.port, running=running)
        return
    try:
        socket.create_connection((mqtt.host, mqtt.port), CONNECT_TIMEOUT_S).close()
    except OSError as error:
        yield Finding("broker", "fail", f"{mqtt.host}:{mqtt.port} does not answer: {error.strerror or error}")
    else:
        yield Finding("broker", "ok", f"{mqtt.host}:{mqtt.port} takes connections")
    for path in (mqtt.ca_file, mqtt.cert_file, mqtt.key_file):
        if path is not None and not os.access(path, os.R_OK):
            yield Finding("broker", "fail", f"{path} cannot be read")


def _embedded_broker() -> Finding:
    if importlib.util.find_spec("amqtt") is None:
        return Finding("broker", "fail", "mqtt.host is empty, but amqtt is not installed: automl-edge[demo] has it")
    return Finding("broker", "ok", "an embedded one, on loopback")


def _source(name: str, path: Path) -> Finding:
    if not os.access(path, os.R_OK):
        return Finding(f"source {name}", "fail", f"{path} is not there or cannot be read")
    return Finding(f"source {name}", "ok", str(path))
