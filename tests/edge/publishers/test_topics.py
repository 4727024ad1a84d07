"""Topics: what a name becomes where it must be one level."""

import pytest

from edge.errors import ConfigError
from edge.publishers.topics import Topics, level


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("camera 1 ü 工", "camera 1 ü 工"),
        ("$SYS", "$SYS"),
        ("a/b+c#d", "a_b_c_d"),
        ("a\0b\x01c\x7fd\x9fe", "a_b_c_d_e"),
        ("a\ufffeb\ufdd0c\U0001ffff", "a_b_c_"),
        ("a\ud800b", "a?b"),
        ("", "_"),
        ("x" * 300, "x" * 128),
    ],
)
def test_a_name_becomes_one_level(text: str, becomes: str) -> None:
    """Wildcards, separators and what is no character are replaced, so that no broker ends the connection for it."""
    assert level(text) == becomes
    assert level(becomes) == becomes


@pytest.mark.parametrize(("prefix", "device"), [("a//b", "d"), ("a/+", "d"), ("a", "d/e"), ("a", ""), ("a", "d\x01")])
def test_what_is_no_topic_is_refused(prefix: str, device: str) -> None:
    """ConfigError that names the key."""
    with pytest.raises(ConfigError, match=r"mqtt\.(prefix|device)"):
        Topics(prefix, device)
