"""The OpenAPI document: whole, true to the routes, and its page usable without a network."""

import re
from typing import Any

import pytest

from tests.edge.api.conftest import Ask

ROUTES = {
    "/v1/predict": {"post"},
    "/score": {"get", "post"},
    "/livez": {"get"},
    "/readyz": {"get"},
    "/v1/status": {"get"},
    "/v1/models": {"get"},
    "/v1/models/{name}/activate": {"post"},
    "/v1/models/{name}/rollback": {"post"},
    "/v1/results": {"get"},
    "/v1/results/stream": {"get"},
    "/metrics": {"get"},
}


@pytest.fixture
def document(ask: Ask) -> dict[str, Any]:
    """The document of a device without a token."""
    found: dict[str, Any] = ask("GET", "/openapi.json").json()
    return found


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_every_route_is_described(document: dict[str, Any]) -> None:
    """With its methods, a summary and a description."""
    assert {path: set(item) for path, item in document["paths"].items()} == ROUTES
    for item in document["paths"].values():
        assert all(operation["summary"] and operation["description"] for operation in item.values())


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    """A generator of clients would stop at one that does not."""
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references(document) <= known


def test_errors_are_described_as_problems(document: dict[str, Any]) -> None:
    """No route promises the framework's own form of errors."""
    assert "HTTPValidationError" not in document["components"]["schemas"]
    for item in document["paths"].values():
        for operation in item.values():
            for status, answer in operation["responses"].items():
                if status >= "400" and operation["summary"] != "Is a proven model ready to answer?":
                    assert set(answer["content"]) == {"application/problem+json"}


@pytest.mark.parametrize("path", ["/v1/predict", "/score"])
def test_the_examples_work_as_they_stand(ask: Ask, document: dict[str, Any], path: str) -> None:
    """Whoever presses Execute in /docs gets an answer."""
    content = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    examples = [content["example"]] if "example" in content else [one["value"] for one in content["examples"].values()]
    assert [ask("POST", path, json=example).status_code for example in examples] == [200] * len(examples)


def test_a_token_is_described_where_it_is_asked_for(ask: Ask) -> None:
    """So that /docs offers to enter it; probes stay free."""
    paths = ask("GET", "/openapi.json", parts={"token": "secret"}).json()["paths"]
    assert paths["/v1/predict"]["post"]["security"] == [{"token": ["predict"]}]
    assert paths["/v1/status"]["get"]["security"] == [{"token": ["read"]}]
    assert paths["/v1/models/{name}/rollback"]["post"]["security"] == [{"token": ["operate"]}]
    assert "401" in paths["/v1/predict"]["post"]["responses"]
    assert "security" not in paths["/livez"]["get"]


def test_the_docs_load_nothing_from_elsewhere(ask: Ask) -> None:
    """A plant has no internet: every script and style is one that this server has."""
    page = ask("GET", "/docs").text
    links = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert links
    assert all(link.startswith("/") for link in links)
    assert [ask("GET", link).status_code for link in links] == [200] * len(links)
