"""GET /: self-contained, and nothing that a name contains becomes markup."""

import base64
import hashlib
import re

from tests.edge.api.conftest import Ask


def test_the_page_loads_nothing_from_elsewhere(ask: Ask) -> None:
    """No address but paths of this server."""
    page = ask("GET", "/").text
    assert not re.findall(r"https?://", page)
    assert not re.findall(r'(?:src|href)="(?!data:,|docs"|metrics"|v1/)', page)


def test_the_policy_allows_the_pages_own_script_and_style_only(ask: Ask) -> None:
    """A script that found its way into the page would not run."""
    answer = ask("GET", "/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        bodies = re.findall(rf"<{tag}[^>]*>(.*?)</{tag}>", answer.text, re.DOTALL)
        assert len(bodies) == 1
        assert base64.b64encode(hashlib.sha256(bodies[0].encode()).digest()).decode() in policy


def test_the_devices_name_is_escaped(ask: Ask) -> None:
    """It comes from the configuration, and may hold anything."""
    page = ask("GET", "/", parts={"device": '<script>alert("x")</script>'}).text
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_the_token_is_kept_for_the_tab_only(ask: Ask) -> None:
    """It goes with the tab, stands in no address and in no cookie."""
    page = ask("GET", "/").text
    assert "sessionStorage" in page
    assert not re.findall(r"localStorage|document\.cookie|[?&]token=", page)


def test_the_script_writes_no_markup(ask: Ask) -> None:
    """Labels, names and errors of others reach the page as text only."""
    page = ask("GET", "/").text
    assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", page)
