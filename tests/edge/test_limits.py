"""What a child process is given, and what it is not."""

import pytest

from edge.limits import SETTINGS, SIGN_IN, environment_without


def test_secrets_of_ours_and_of_azure_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """To a process that loads a graph which nobody has vouched for; the rest it needs."""
    for name in ("EDGE_AZURE__CLIENT_SECRET", "AZURE_CLIENT_SECRET", "IDENTITY_HEADER", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "x")
    assert {"HTTPS_PROXY", "PATH"} <= environment_without(*SETTINGS, *SIGN_IN).keys()
    assert (
        not {"EDGE_AZURE__CLIENT_SECRET", "AZURE_CLIENT_SECRET", "IDENTITY_HEADER"}
        & environment_without(*SETTINGS, *SIGN_IN).keys()
    )
    assert "AZURE_CLIENT_SECRET" in environment_without(*SETTINGS)
