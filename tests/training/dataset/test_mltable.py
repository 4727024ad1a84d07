"""The table's files to the letter, names that survive a URL, hashes that know content and nothing else."""

from hypothesis import assume, given
from hypothesis import strategies as st

from training.dataset.mltable import PLAIN, digest_of, stored_name, table_of

MLTABLE = b"""paths:
  - file: ./train.jsonl
transformations:
  - read_json_lines:
      encoding: utf8
      invalid_lines: error
      include_path_column: false
  - convert_column_types:
      - columns: image_url
        column_type: stream_info
"""


def test_a_table_is_what_automl_reads() -> None:
    """The file MLTable to the letter, and the lines it names."""
    assert table_of(['{"a": 1}', '{"a": "é"}'], "train") == {
        "MLTable": MLTABLE,
        "train.jsonl": '{"a": 1}\n{"a": "é"}\n'.encode(),
    }


def test_plain_names_stay() -> None:
    """What means nothing in a URL is kept, folders too."""
    assert stored_name("Rolled/scale_1.png") == "Rolled/scale_1.png"
    assert stored_name("a b/50%#1.png") == "a_b/50__1-90305fbb.png"


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_names_never_become_one(one: str, other: str) -> None:
    """Names that differ in what is replaced stay apart, and hold nothing that a URL would change."""
    first, second = f"folder/{one}.png", f"folder/{other}.png"
    assume(first != second and "/" not in one + other)
    assert stored_name(first) != stored_name(second)
    assert PLAIN.fullmatch(stored_name(first))


def test_the_hash_is_of_names_and_contents() -> None:
    """In any order; another name or another content is another hash."""
    files = [("a", "1"), ("b", "2")]
    assert digest_of(files) == digest_of(reversed(files))
    assert len({digest_of(files), digest_of([("a", "2"), ("b", "1")]), digest_of(files[:1])}) == 3
