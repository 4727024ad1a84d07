"""The stage or tag that devices follow goes from version to version, and nothing else of them changes."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge.azureml.place import SharedRegistry
from edge.azureml.tags import MANIFEST_SHA256
from tests.azure.arm import WORKSPACE_PATH
from tests.azure.routes.registries import REGISTRY, put_model, registry_path
from tests.azure.sessions import session_of
from tests.azure.standin import Cloud
from training.azure.promote import Mark, promote, read_mark, standing
from training.azure.session import Session
from training.errors import AzureError, AzureUnavailableError, UsageError

PRODUCTION = Mark(stage="Production")
PROD = Mark(key="line", value="prod")


@pytest.fixture
def session(azure: Cloud, tmp_path: Path) -> Iterator[Session]:
    with closing(session_of(azure, tmp_path, retries=0)) as opened:
        yield opened


def path_of(version: str) -> str:
    return f"{WORKSPACE_PATH}/models/parts/versions/{version}"


def put(
    azure: Cloud, version: str, *, stage: str = "Development", tags: dict[str, str] | None = None, **more: Any
) -> None:
    """Put a version with everything that one may have."""
    known = {
        "modelUri": f"azureml://x/{version}",
        "modelType": "custom_model",
        "description": "made by hand",
        "properties": {"job": "line"},
        "flavors": {"python_function": {"data": {"loader": "x"}}},
        "jobName": "line_HD_0",
        "datasets": [{"id": "pictures:1"}],
        "isArchived": False,
        "isAnonymous": False,
        "stage": stage,
        "tags": {MANIFEST_SHA256: version, "note": "keep me", **(tags or {})},
    }
    azure.resources.put(path_of(version), {**known, **more})


def properties(azure: Cloud, version: str) -> dict[str, Any]:
    return dict(azure.resources.get(path_of(version))["properties"])


def test_stage_goes_to_the_version_and_leaves_the_others(azure: Cloud, session: Session) -> None:
    """First it is given, then it is taken: no moment is without it."""
    put(azure, "1", stage="Production")
    put(azure, "2")
    done = promote(session, "parts", "2", PRODUCTION)
    assert (done.before, done.after, done.changed) == (("1",), ("2",), ("2", "1"))
    assert [e.path[-1] for e in azure.wire.exchanges if e.method == "PUT"] == ["2", "1"]
    assert properties(azure, "1")["stage"] == "Development"


@pytest.mark.parametrize("mark", [PRODUCTION, PROD])
def test_nothing_else_of_a_version_changes(azure: Cloud, session: Session, mark: Mark) -> None:
    """Description, properties, flavors, job, data, other tags: as they were, in the request and afterwards."""
    put(azure, "1", stage="Production", tags={"line": "prod"})
    put(azure, "2")
    before = {version: properties(azure, version) for version in ("1", "2")}
    promote(session, "parts", "2", mark)
    for version in ("1", "2"):
        now = properties(azure, version)
        assert {k: v for k, v in now.items() if k not in ("stage", "tags")} == {
            k: v for k, v in before[version].items() if k not in ("stage", "tags")
        }
        assert now["tags"]["note"] == "keep me"
    assert properties(azure, "2")["tags"].get("line") == ("prod" if mark is PROD else None)
    assert properties(azure, "1")["stage"] == ("Production" if mark is PROD else "Development")


def test_a_tag_is_taken_from_others(azure: Cloud, session: Session) -> None:
    """A tag of the same key with another value is another line's."""
    put(azure, "1", tags={"line": "prod"})
    put(azure, "2", tags={"line": "test"})
    put(azure, "3")
    promote(session, "parts", "3", PROD)
    assert [properties(azure, v)["tags"].get("line") for v in "123"] == [None, "test", "prod"]


def test_others_may_keep_it(azure: Cloud, session: Session) -> None:
    """And it is nothing to do where it is there already."""
    put(azure, "1", stage="Production")
    put(azure, "2")
    assert promote(session, "parts", "2", PRODUCTION, keep_others=True).changed == ("2",)
    assert promote(session, "parts", "2", PRODUCTION, keep_others=True).changed == ()
    assert promote(session, "parts", "2", PRODUCTION).changed == ("1",)


def test_an_archived_version_loses_it_and_stays_archived(azure: Cloud, session: Session) -> None:
    """The SDK's own way would bring it back."""
    put(azure, "1", stage="Production", isArchived=True)
    put(azure, "2")
    promote(session, "parts", "2", PRODUCTION)
    assert (properties(azure, "1")["stage"], properties(azure, "1")["isArchived"]) == ("Development", True)
    with pytest.raises(AzureError, match="parts:1 is archived: devices do not see it"):
        promote(session, "parts", "1", PRODUCTION)


def test_what_no_device_could_follow(azure: Cloud, session: Session) -> None:
    """A version that is not there, or no bundle; AutoML's own are followed too."""
    with pytest.raises(AzureError, match=r"there is no parts:9 in workspace vision .*, and no other of that name"):
        promote(session, "parts", "9", PRODUCTION)
    put(azure, "1")
    with pytest.raises(AzureError, match=r"there is no parts:9 in workspace vision .*: there are 1"):
        promote(session, "parts", "9", PRODUCTION)
    put(azure, "2", tags={})
    azure.resources.get(path_of("2"))["properties"]["tags"] = {}
    with pytest.raises(AzureError, match="parts:2 is no bundle"):
        promote(session, "parts", "2", PRODUCTION)
    azure.resources.get(path_of("2"))["properties"]["modelType"] = "mlflow_model"
    assert promote(session, "parts", "2", PRODUCTION).after == ("2",)


def test_somebody_else_promotes_at_the_same_moment(azure: Cloud, session: Session) -> None:
    """Their version has it at the end too: who did it is named, and nothing is believed."""
    put(azure, "1", stage="Production")
    for version in ("2", "3"):
        put(azure, version)

    clock = azure.resources.clock

    def tick() -> Any:
        if properties(azure, "1")["stage"] == "Production" and properties(azure, "2")["stage"] == "Production":
            azure.resources.get(path_of("3"))["properties"]["stage"] = "Production"
        return clock()

    azure.resources.clock = tick
    with pytest.raises(AzureError, match="stage Production is now on 3, 2, not on 2 alone: tester promoted"):
        promote(session, "parts", "2", PRODUCTION)


def test_a_list_that_lags_behind_is_looked_at_again(azure: Cloud, session: Session) -> None:
    """Azure's lists may lack for a moment what was just written: that is nobody's doing."""
    put(azure, "1")
    below, lists = azure.resources.below, []

    def lagging(path: str) -> Any:
        lists.append(path)
        found = below(path)
        stale = [{**one, "properties": {**one["properties"], "stage": "Development"}} for one in found]
        return stale if len(lists) == 2 else found

    azure.resources.below = lagging  # type: ignore[method-assign] # a list behind the versions themselves
    assert promote(session, "parts", "1", PRODUCTION).after == ("1",)
    assert len(lists) == 3


def test_somebody_else_writes_over_it(azure: Cloud, session: Session) -> None:
    """What was put does not stay: the change is looked at afterwards."""
    put(azure, "1")
    azure.resources.put = lambda path, _properties, **_: azure.resources.get(path)  # type: ignore[method-assign] # their write, after ours
    with pytest.raises(AzureError, match="parts:1: stage Production was given and is not any more, since tester"):
        promote(session, "parts", "1", PRODUCTION)


def test_a_failure_between_leaves_both(azure: Cloud, session: Session) -> None:
    """The new version has it, the old one too: devices take the newest; promoting again ends it."""
    put(azure, "1", stage="Production")
    put(azure, "2")
    fault = azure.wire.break_(r"PUT .*/versions/1$", 500)
    with pytest.raises(AzureUnavailableError, match="changing parts:1"):
        promote(session, "parts", "2", PRODUCTION)
    assert [properties(azure, v)["stage"] for v in "12"] == ["Production", "Production"]
    azure.wire.mend(fault)
    assert promote(session, "parts", "2", PRODUCTION).after == ("2",)


def test_no_right_to_change(azure: Cloud, session: Session) -> None:
    """Nothing is changed."""
    put(azure, "1")
    azure.wire.break_(r"PUT .*/versions/1$", 403, code="AuthorizationFailed")
    with pytest.raises(AzureError, match="changing parts:1"):
        promote(session, "parts", "1", PRODUCTION)


def test_in_a_shared_registry_by_tag(azure: Cloud, tmp_path: Path) -> None:
    """It knows no stages; the rest of the version stays."""
    path = f"{registry_path()}/models/parts/versions"
    kept = {"modelUri": "https://x/c/parts", "modelType": "custom_model", "description": "d", "properties": {"a": "b"}}
    for version in ("1", "2"):
        tags = {MANIFEST_SHA256: version, **({"line": "prod"} if version == "1" else {})}
        put_model(azure, f"{path}/{version}", {**kept, "tags": tags})
    with closing(session_of(azure, tmp_path, SharedRegistry(REGISTRY))) as session:
        done = promote(session, "parts", "2", PROD)
        assert (done.before, done.after) == (("1",), ("2",))
        now = azure.resources.get(f"{path}/2")["properties"]
        assert (now["description"], now["properties"], now["tags"]["line"]) == ("d", {"a": "b"}, "prod")
        with pytest.raises(UsageError, match="a shared registry knows no stages"):
            promote(session, "parts", "2", PRODUCTION)


def test_versions_are_listed_newest_first(azure: Cloud, session: Session) -> None:
    """Archived ones too, and those of no model are none."""
    put(azure, "1", isArchived=True)
    put(azure, "2")
    assert [(one.version, one.archived) for one in standing(session, "parts")] == [("2", False), ("1", True)]
    with pytest.raises(AzureError, match="there is no model nothing"):
        standing(session, "nothing")


@pytest.mark.parametrize(
    ("stage", "tag", "text"),
    [
        ("", "", "give --stage S or --tag"),
        ("Production", "a=b", "give --stage S or --tag"),
        ("Development", "", "is what every version has"),
        ("", "line", "KEY=VALUE is expected"),
        ("", "task=x", "this tag says what the bundle is"),
    ],
)
def test_marks_that_make_no_sense(stage: str, tag: str, text: str) -> None:
    """Each with what to give in its place."""
    with pytest.raises(UsageError, match=text):
        read_mark(stage, tag)
    assert read_mark("", "line=prod=1") == Mark(key="line", value="prod=1")
