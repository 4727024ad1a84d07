"""The configuration: what it resolves to, and what it says about mistakes."""

from collections.abc import Mapping
from pathlib import Path
from traceback import format_exception
from typing import get_args

import pytest
from pydantic import ValidationError

from edge.azureml.cloud import AUTHORITIES
from edge.azureml.identity import KINDS
from edge.config import Config, FolderSource, PlaybackSource, dump, environment, load, no_colour
from edge.config.azure import CLOUDS, Credential
from edge.errors import ConfigError
from tests.edge.config_reference import PAGE, page_with_tables

SECRET = "correct-horse-battery"
AZURE = '[azure]\nsubscription_id = "s"\nresource_group = "g"\nworkspace = "w"\n'
FOLLOWS = '[model]\nname = "a"\n[registry]\nkind = "azureml"\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "edge.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(path: Path | None = None, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    text = str(caught.value)
    return [line.replace(str(path), "FILE") for line in text.splitlines()]


def test_nothing_is_needed() -> None:
    """Without file and environment all defaults hold, paths from the working directory."""
    config = load(None, {})
    assert (config.http.host, config.http.port, config.mqtt.host) == ("127.0.0.1", 8080, "")
    assert config.registry.path == Path.cwd() / "models"
    assert config.source == ()


def test_default_device_name_fits_into_a_topic() -> None:
    """The host name is made safe: a configuration that names it again is valid."""
    device = load(None, {}).mqtt.device
    assert load(None, {"EDGE_MQTT__DEVICE": device}).mqtt.device == device


def test_file_and_environment_are_merged(tmp_path: Path) -> None:
    """A variable takes the place of the file's key and of nothing else."""
    path = write(tmp_path, '[http]\nport = 9000\nmax_images = 8\n[model]\nname = "parts"\n')
    config = load(path, {"EDGE_HTTP__PORT": "9001"})
    assert (config.http.port, config.http.max_images, config.model.name) == (9001, 8, "parts")


def test_relative_paths_belong_to_the_files_folder(tmp_path: Path) -> None:
    """Paths of the file, of the environment and of defaults start at the file's folder; absolute ones stay."""
    path = write(
        tmp_path, '[registry]\npath = "bundles"\n[[source]]\nkind = "folder"\nname = "in"\npath = "/data/in"\n'
    )
    config = load(path, {"EDGE_MQTT__HOST": "b", "EDGE_MQTT__TLS": "1", "EDGE_MQTT__CA_FILE": "ca.pem"})
    assert config.registry.path == tmp_path / "bundles"
    assert config.mqtt.ca_file == tmp_path / "ca.pem"
    assert config.storage.path == tmp_path / "var"
    assert config.source[0].path == Path("/data/in")


def test_sources_are_told_apart_by_kind(tmp_path: Path) -> None:
    """Each kind of source has its own keys."""
    text = (
        '[[source]]\nkind = "folder"\nname = "in"\npath = "a"\nafter = "move"\n'
        '[[source]]\nkind = "playback"\nname = "film"\npath = "b.mp4"\nfps = 5\nloop = true\nshuffle_seed = 3\n'
    )
    folder, playback = load(write(tmp_path, text), {}).source
    assert isinstance(folder, FolderSource)
    assert folder.after == "move"
    assert isinstance(playback, PlaybackSource)
    assert (playback.fps, playback.loop, playback.shuffle_seed) == (5.0, True, 3)


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("EDGE_MQTT__ENABLED", "false", False),
        ("EDGE_MQTT__ENABLED", "OFF", False),
        ("EDGE_MQTT__ENABLED", "1", True),
        ("EDGE_HTTP__PORT", "9000", 9000),
        ("EDGE_BATCHING__MAX_BATCH_DELAY_MS", "1.5", 1.5),
        ("EDGE_BATCHING__MAX_BATCH_DELAY_MS", "3", 3.0),
        ("EDGE_SESSION__BATCH_SIZES", "1, 2,4", (1, 2, 4)),
        ("EDGE_SESSION__BATCH_SIZES", "[1, 8]", (1, 8)),
        ("EDGE_MODEL__NAME", "", None),
        ("EDGE_MODEL__NAME", "7", "7"),
        ("EDGE_MQTT__HOST", "broker", "broker"),
        ("EDGE_LOG__RESULTS", "true", "true"),
    ],
)
def test_a_variable_is_read_as_its_keys_type(variable: str, text: str, expected: object) -> None:
    """Switches, numbers, lists and texts come out of the environment as what they are."""
    section, key = variable.removeprefix("EDGE_").lower().split("__")
    assert getattr(getattr(load(None, {variable: text}), section), key) == expected


def test_variables_of_others_are_ignored() -> None:
    """Only names with a section and a key are ours."""
    assert load(None, {"EDGE_FOO": "1", "EDGE_": "", "OTHER__KEY": "1"}) == load(None, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[http]\nprot = 1", "FILE: http.prot: no such key; did you mean port?"),
        ("[htpp]\nport = 1", "FILE: htpp: no such key; did you mean http?"),
        ("[http]\nthreads = 1", "FILE: http.threads: no such key here; it belongs into [session]"),
        ('[http]\nport = "8080"', "FILE: http.port: must be a whole number, got '8080'"),
        ('[http]\nenabled = "false"', "FILE: http.enabled: must be a boolean, got 'false'"),
        ("[http]\nport = 70000", "FILE: http.port: must be less than or equal to 65535, got 70000"),
        ("[http]\ndeadline_s = nan", "FILE: http.deadline_s: must be a finite number, got nan"),
        ("[model]\nversion = 1", "FILE: model.version: must be a string, got 1"),
        ("http = 3", "FILE: http: must be a table, got 3"),
        ('[source]\nkind = "folder"', "FILE: source: must be written as [[source]], once for each source"),
        (
            '[session]\ndevice = "cuda"',
            "FILE: session.device: must be 'auto', 'cpu', 'gpu' or 'require-gpu', got 'cuda'",
        ),
        ("[session]\nbatch_sizes = [4, 1]", "FILE: session.batch_sizes: must ascend, each size once, got [4, 1]"),
        ('[[source]]\nname = "a"\npath = "b"', "FILE: source 1: kind is required: one of folder, playback"),
        (
            '[[source]]\nname = "a"\npath = "b"\nkind = "folder"\nfps = 1',
            "FILE: source 1: fps: no such key; there are name, priority, kind, path, after, poll_s",
        ),
        (
            '[[source]]\nname = "a"\npath = "b"\nkind = "flder"',
            "FILE: source 1: kind must be one of folder, playback, got 'flder'",
        ),
        ('[[source]]\nname = "a"\nkind = "folder"', "FILE: source 1: path: is required"),
        (
            '[[source]]\nname = "cmd"\npath = "b"\nkind = "folder"',
            "FILE: source 1: name: is reserved, as http, state, cmd, ack are: topics use these names, got 'cmd'",
        ),
    ],
)
def test_a_mistake_in_the_file_is_named(tmp_path: Path, text: str, expected: str) -> None:
    """Each mistake is told with its key, the remedy and the file."""
    assert problems(write(tmp_path, text)) == [expected]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"EDGE_HTTP__PROT": "1"}, "EDGE_HTTP__PROT: no such key; did you mean EDGE_HTTP__PORT?"),
        ({"EDGE_HTPP__PORT": "1"}, "EDGE_HTPP__PORT: no such key; did you mean EDGE_HTTP__PORT?"),
        ({"EDGE_http__port": "1"}, "EDGE_http__port: no such key; did you mean EDGE_HTTP__PORT?"),
        ({"EDGE_HTTP__PORT": "x"}, "EDGE_HTTP__PORT: http.port: must be a whole number, got 'x'"),
        ({"EDGE_MQTT__ENABLED": "maybe"}, "EDGE_MQTT__ENABLED: mqtt.enabled: must be a boolean, got 'maybe'"),
        (
            {"EDGE_SESSION__BATCH_SIZES": "1,x"},
            "EDGE_SESSION__BATCH_SIZES: session.batch_sizes.1: must be a whole number, got 'x'",
        ),
        (
            {"EDGE_SOURCE__NAME": "a"},
            "EDGE_SOURCE__NAME: sources cannot come from the environment; write a [[source]] into a config file",
        ),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(environ: Mapping[str, str], expected: str) -> None:
    """The variable is named, and the key where there is one."""
    assert problems(None, environ) == [expected]


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    """Two mistakes in the file and one in the environment make three lines."""
    path = write(tmp_path, '[http]\nport = "8080"\nprot = 1\n')
    assert problems(path, {"EDGE_MQTT__PORT": "-1"}) == [
        "FILE: http.port: must be a whole number, got '8080'",
        "FILE: http.prot: no such key; did you mean port?",
        "EDGE_MQTT__PORT: mqtt.port: must be greater than or equal to 0, got -1",
    ]


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ('[http]\nhost = "0.0.0.0"', ["http: host '0.0.0.0'", "http.token", "http.insecure"]),
        ('[http]\nhost = "edge.example"', ["http: host 'edge.example'"]),
        ('[http]\nhost = "0.0.0.0"\ncert_file = "c"\nkey_file = "k"', ["no token is set", "http.tokens_file"]),
        ('[http]\ncert_file = "c"', ["cert_file and key_file belong together"]),
        ('[http]\nkey_file = "k"', ["cert_file and key_file belong together"]),
        ('[model]\nversion = "3"', ["model: version '3'", "model.name"]),
        ("[mqtt]\ntls = true", ["mqtt: host is empty"]),
        ('[mqtt]\nhost = "b"\nport = 0', ["mqtt: port must be the broker's"]),
        ('[mqtt]\nhost = "b"\npassword = "p"', ["mqtt: password is set but username is not"]),
        ('[mqtt]\nhost = "b"\nca_file = "c"', ["tls = true"]),
        ('[mqtt]\nhost = "b"\ntls = true\ncert_file = "c"', ["cert_file and key_file belong together"]),
        ("[http]\nmax_images = 500", ["FILE: http.max_images: must not exceed 0.9 of batching.queue_size"]),
        ("[http]\nmax_body_mb = 500", ["FILE: http.max_body_mb: must not exceed 0.9 of batching.queue_mb"]),
        ("[batching]\nmax_batch_size = 17", ["FILE: batching.max_batch_size: must not exceed"]),
        ('[registry]\nstage = "Production"', ["FILE: registry.stage: only a registry of kind 'azureml'"]),
        ('[registry]\nkind = "bundle"\ntag = "site=7"', ["FILE: registry.tag: only a registry of kind 'azureml'"]),
        (f'[registry]\nkind = "azureml"\n{AZURE}', ["FILE: model.name: must name the model"]),
        (FOLLOWS, ["FILE: azure.workspace: give subscription_id, resource_group and workspace, or shared_registry"]),
        (f'{FOLLOWS}[azure]\nworkspace = "w"', ["FILE: azure.workspace: give subscription_id"]),
        (f'{FOLLOWS}stage = "Production"\n[azure]\nshared_registry = "r"', ["registry.stage", "use registry.tag"]),
        (f'{FOLLOWS}tag = "=7"\n{AZURE}', ["FILE: registry.tag: must be a tag's key, or key=value, got '=7'"]),
        (
            f'[model]\nname = "a"\nversion = "3"\n[registry]\nkind = "azureml"\ntag = "live"\n{AZURE}',
            ["FILE: registry.tag: model.version '3' is pinned"],
        ),
        (f'{AZURE}shared_registry = "r"', ["azure: shared_registry and a workspace are given"]),
        (f'{AZURE}credential = "certificate"', ["needs tenant_id and client_id", "needs certificate: a PEM file"]),
        (f'{AZURE}credential = "secret"\ntenant_id = "t"\nclient_id = "c"', ["EDGE_AZURE__CLIENT_SECRET"]),
        (
            '[[source]]\nname = "a"\npath = "b"\nkind = "folder"\n[[source]]\nname = "a"\npath = "c"\nkind = "folder"',
            ["FILE: source: the name 'a' is given twice"],
        ),
    ],
)
def test_rules_between_keys(tmp_path: Path, text: str, fragments: list[str]) -> None:
    """What does not go together is refused in one line that says why."""
    (line,) = problems(write(tmp_path, text))
    for fragment in fragments:
        assert fragment in line


@pytest.mark.parametrize(
    "text",
    [
        '[http]\nhost = "0.0.0.0"\ntoken = "abc"',
        '[http]\nhost = "0.0.0.0"\ntokens_file = "tokens.json"',
        '[http]\ncert_file = "c"\nkey_file = "k"',
        '[http]\nenabled = false\ncert_file = "c"',
        '[http]\nhost = "0.0.0.0"\ninsecure = true',
        '[http]\nhost = "0.0.0.0"\nenabled = false',
        '[http]\nhost = "::1"',
        '[http]\nhost = "localhost"',
        "[mqtt]\nenabled = false\ntls = true",
        f'{FOLLOWS}stage = "Production"\ntag = "site=7"\n{AZURE}',
        f'{FOLLOWS}tag = "site"\n[azure]\nshared_registry = "r"',
        f'[model]\nname = "a"\nversion = "3"\n[registry]\nkind = "azureml"\n{AZURE}',
        f'{AZURE}credential = "managed-identity"',
    ],
)
def test_rules_between_keys_allow(tmp_path: Path, text: str) -> None:
    """A guarded, local or disabled server needs no more."""
    load(write(tmp_path, text), {})


def test_a_rule_names_the_variables_behind_it(tmp_path: Path) -> None:
    """Where a section comes from file and environment, both are named."""
    (line,) = problems(write(tmp_path, "[http]\nport = 1"), {"EDGE_HTTP__HOST": "0.0.0.0"})
    assert line.startswith("FILE, EDGE_HTTP__HOST: http: host")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[http\nport = 1", "is not TOML: "),
        (b"a = 1\nb = ]", "line 2"),
        (b"name = '\xff'", "is not UTF-8 text (byte 8)"),
    ],
)
def test_a_file_that_is_no_toml(tmp_path: Path, content: bytes, expected: str) -> None:
    """The file and the place in it are named."""
    path = tmp_path / "edge.toml"
    path.write_bytes(content)
    (line,) = problems(path)
    assert line.startswith("FILE: ")
    assert expected in line


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """A missing file and a folder in its place are named."""
    assert problems(tmp_path / "no.toml") == [
        "FILE: no such file; give another with -c, or leave -c out for the defaults"
    ]
    assert problems(tmp_path) == ["FILE: cannot be read: Is a directory"]


def test_secrets_are_masked_in_every_output(tmp_path: Path) -> None:
    """Neither the dump nor a repr shows a secret, and the daemon can still read it."""
    path = write(tmp_path, f'[http]\ntoken = "{SECRET}"\n[mqtt]\nhost = "b"\nusername = "u"\npassword = "{SECRET}"\n')
    config = load(path, {"EDGE_AZURE__CLIENT_SECRET": SECRET})
    assert config.azure.client_secret is not None
    assert config.azure.client_secret.get_secret_value() == SECRET
    assert config.http.token is not None
    assert config.http.token.get_secret_value() == SECRET
    assert SECRET not in f"{dump(config)}{config!r}{config}"
    assert dump(config)["http"]["token"] == dump(config)["mqtt"]["password"] == "**********"


def test_secrets_are_not_shown_in_problems(tmp_path: Path) -> None:
    """A wrong secret, and one beside another mistake, stay out of the error."""
    text = f'[http]\ntoken = "{SECRET} {SECRET}"\nhost = "0.0.0.0"\n[mqtt]\npassword = "{SECRET}"\nhost = "b"\n'
    lines = problems(write(tmp_path, text), {"EDGE_MQTT__PASSWORD": SECRET})
    assert len(lines) == 2
    assert SECRET not in "".join(lines)


def test_secrets_are_not_shown_in_tracebacks() -> None:
    """The error behind the error hides them too."""
    with pytest.raises(ConfigError) as caught:
        load(None, {"EDGE_MQTT__PASSWORD": SECRET})
    assert SECRET not in "".join(format_exception(caught.value))


@pytest.mark.parametrize(
    ("text", "poll_s"),
    [
        ("", 2.0),
        ('[registry]\nkind = "bundle"', 2.0),
        (FOLLOWS + AZURE, 60.0),
        (f"{FOLLOWS}poll_s = 5.0\n{AZURE}", 5.0),
    ],
)
def test_azure_is_asked_less_often(tmp_path: Path, text: str, poll_s: float) -> None:
    """A folder is looked at every two seconds, Azure once a minute, unless the configuration says otherwise."""
    assert dump(load(write(tmp_path, text), {}))["registry"]["poll_s"] == poll_s


def test_names_are_those_that_the_asking_process_knows() -> None:
    """The daemon does not import what talks to Azure, so both have a list of clouds and of credentials."""
    assert get_args(Credential) == KINDS
    assert set(CLOUDS) == set(AUTHORITIES)


def test_a_cloud_is_a_name_or_a_file(tmp_path: Path) -> None:
    """A file that describes a cloud lies beside the configuration, unless its path says otherwise."""
    assert load(write(tmp_path, ""), {"EDGE_AZURE__CLOUD": "AzureChinaCloud"}).azure.cloud == "AzureChinaCloud"
    assert load(write(tmp_path, '[azure]\ncloud = "cloud.json"'), {}).azure.cloud == str(tmp_path / "cloud.json")


def test_the_configuration_is_frozen() -> None:
    """Nobody changes it once it is loaded."""
    config = load(None, {})
    with pytest.raises(ValidationError, match="frozen"):
        config.http = Config().http  # type: ignore[misc]  # what the test is about


def test_dump_is_plain() -> None:
    """The dump can be given back to a program: texts, numbers, lists, None."""
    plain = dump(load(None, {}))
    assert plain["session"]["batch_sizes"] == [1, 2, 4, 8, 16]
    assert isinstance(plain["registry"]["path"], str)


def test_environment_is_the_processs_own() -> None:
    """Loading without a mapping reads this process's variables."""
    assert "PATH" in environment()


def test_demo_is_a_configuration() -> None:
    """What `make run` starts is valid, and its paths lead into the project."""
    project = Path(__file__).parents[2]
    config = load(project / "docs/demo.toml", {})
    assert config.registry.path.resolve() == project / "models"
    assert config.source[0].path.resolve().is_relative_to(project)


def test_example_of_the_reference_is_a_configuration(tmp_path: Path) -> None:
    """The example on the page can be taken as it is."""
    example = PAGE.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    config = load(write(tmp_path, example), {"EDGE_MQTT__PASSWORD": "p"})
    assert config.session.device == "require-gpu"


def test_result_lines_may_be_switched_as_a_bool(tmp_path: Path) -> None:
    """`results = true` means what it says, though `auto` is a third value."""
    assert load(write(tmp_path, "[log]\nresults = true\n"), {}).log.results == "true"


def test_reference_page_is_up_to_date() -> None:
    """docs/reference/configuration.md holds the schema's tables; else run ``python -m tests.edge.config_reference``."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with_tables(page)


@pytest.mark.parametrize(("environ", "expected"), [({}, False), ({"NO_COLOR": ""}, False), ({"NO_COLOR": "1"}, True)])
def test_no_color(environ: dict[str, str], expected: bool) -> None:
    """NO_COLOR set to anything but nothing asks for output without colours."""
    assert no_colour(environ) is expected
