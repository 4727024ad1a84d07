"""The IoT Edge deployment: rendered for CPU and GPU, held against its schema."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from edge.config import load
from edge.config.environment import known_variables

FOLDER = Path(__file__).parents[2] / "docker" / "iot-edge"
SCHEMA = json.loads((FOLDER / "deployment.schema.json").read_text(encoding="utf-8"))
VALUES = {
    "IMAGE": "registry.example:5000/automl-edge:0.1.0",
    "DEVICE": "press-1",
    "HTTP_TOKEN": "token",
    "MQTT_HOST": "broker.example",
    "MQTT_USERNAME": "press-1",
    "MQTT_PASSWORD": 'with "quotes"',
}

each_kind = pytest.mark.parametrize("options", [(), ("--gpu",)], ids=["cpu", "gpu"])


def render(*options: str, **values: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / "render.py"), *options]
    return subprocess.run(command, env=values, capture_output=True, text=True, timeout=60, check=False)


def manifest(*options: str) -> Any:
    done = render(*options, **VALUES)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def module(rendered: Any) -> dict[str, Any]:
    found: dict[str, Any] = rendered["modulesContent"]["$edgeAgent"]["properties.desired"]["modules"]["automl-edge"]
    return found


def create_options(settings: dict[str, str]) -> Any:
    """Return the options as the edge agent reads them: the parts joined."""
    return json.loads("".join(settings[key] for key in sorted(settings) if key.startswith("createOptions")))


@each_kind
def test_the_manifest_follows_the_schema(options: tuple[str, ...]) -> None:
    """Which is a valid schema itself."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(manifest(*options), SCHEMA, jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("$edgeAgent", "properties.desired", "modules", "automl-edge", "restartPolicy"), "sometimes"),
        (("$edgeAgent", "properties.desired", "modules", "automl-edge", "settings", "image"), "no-tag"),
        (("$edgeAgent", "properties.desired", "modules", "automl-edge", "settings", "createOptions"), {}),
        (("$edgeHub", "properties.desired", "routes", "upstream"), "messages to the cloud"),
    ],
    ids=["policy", "image", "options", "route"],
)
def test_the_schema_finds_mistakes(path: tuple[str, ...], value: Any) -> None:
    """A schema that takes everything would prove nothing."""
    rendered = manifest()
    node = rendered["modulesContent"]
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(rendered, SCHEMA, jsonschema.Draft202012Validator)


@each_kind
def test_the_environment_is_a_configuration(options: tuple[str, ...]) -> None:
    """Every variable is a key, and together they are valid."""
    environment = {name: entry["value"] for name, entry in module(manifest(*options))["env"].items()}
    assert environment.keys() <= known_variables().keys()
    config = load(None, environment | {"EDGE_HTTP__HOST": "0.0.0.0"})
    assert config.mqtt.password is not None
    assert config.mqtt.password.get_secret_value() == VALUES["MQTT_PASSWORD"]
    assert config.session.device == ("require-gpu" if options else "auto")


@each_kind
def test_the_container_is_locked_down(options: tuple[str, ...]) -> None:
    """As with compose; the GPU only where it is asked for; more time to end than the daemon takes."""
    created = create_options(module(manifest(*options))["settings"])
    host = created["HostConfig"]
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert ("DeviceRequests" in host) == bool(options)
    assert created["StopTimeout"] > load(None, {}).daemon.stop_timeout_s


def test_what_is_missing_is_named() -> None:
    """All of it, at once, and nothing is printed that could be taken for a manifest."""
    done = render(IMAGE="a:1", MQTT_HOST="")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "error: set DEVICE, HTTP_TOKEN, MQTT_HOST, MQTT_PASSWORD, MQTT_USERNAME in the environment\n"
