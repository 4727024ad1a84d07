"""The split: everything once, copies together, every class on both sides, the same wherever it is made."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from training.dataset.annotations import Box, Example, Picture, Tag
from training.dataset.parts import Shares, assign, counts

collections = st.lists(
    st.tuples(st.sets(st.sampled_from("abcd"), max_size=3), st.integers(0, 60)), min_size=1, max_size=80
)
"""Pictures: their labels, and a number that stands for their content."""


def example(number: int, labels: set[str]) -> Example:
    return Example(Picture(f"{number}.png"), tuple(Tag(label) for label in sorted(labels)))


@given(collections, st.floats(0, 0.5), st.floats(0, 0.4), st.integers(0, 5))
def test_each_picture_is_in_one_part_and_copies_stay_together(
    pictures: list[tuple[set[str], int]], validation: float, test: float, seed: int
) -> None:
    """Whatever the labels: a part for each, one part for each content, something left to train on."""
    examples = [example(number, labels) for number, (labels, _) in enumerate(pictures)]
    contents = [str(content) for _, content in pictures]
    parts = assign(examples, contents, Shares(validation, test, seed))
    assert len(parts) == len(examples)
    assert "train" in parts
    together: dict[str, set[str]] = {}
    for content, part in zip(contents, parts, strict=True):
        together.setdefault(content, set()).add(part)
    assert all(len(found) == 1 for found in together.values())


@given(collections, st.integers(0, 5), st.randoms(use_true_random=False))
def test_order_and_names_change_nothing(
    pictures: list[tuple[set[str], int]], seed: int, shuffler: random.Random
) -> None:
    """Another file system lists in another order, and may hold the same pictures under other names."""
    shares = Shares(0.2, 0.1, seed)
    numbered = list(enumerate(pictures))
    first = assign([example(n, labels) for n, (labels, _) in numbered], [str(c) for _, (_, c) in numbered], shares)
    shuffler.shuffle(numbered)
    again = assign(
        [example(1000 + n, labels) for n, (labels, _) in numbered], [str(c) for _, (_, c) in numbered], shares
    )
    assert [part for _, part in sorted(zip([n for n, _ in numbered], again, strict=True))] == first


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(2, 60), min_size=1), st.integers(0, 9))
def test_each_class_keeps_its_share(sizes: dict[str, int], seed: int) -> None:
    """Of each class a fifth is validated on, to the nearest picture, at least one, and never all."""
    examples = [example(n, {label}) for label, size in sizes.items() for n in range(size)]
    contents = [f"{label}{n}" for label, size in sizes.items() for n in range(size)]
    counted = counts(examples, assign(examples, contents, Shares(0.2, 0.0, seed)))
    for label, size in sizes.items():
        assert counted[label] == Counter(validation=max(1, round(size / 5)), train=size - max(1, round(size / 5)))


def test_the_rarest_class_on_a_picture_decides() -> None:
    """With many things on a picture the rare one is on both sides, where chance would often put it on one."""
    common = [Example(Picture(f"{n}"), (Box("bolt", 0, 0, 1, 1),)) for n in range(60)]
    rare = [Example(Picture(f"r{n}"), (Box("bolt", 0, 0, 1, 1), Box("crack", 0, 0, 1, 1))) for n in range(5)]
    examples = [*common, *rare]
    for seed in range(20):
        counted = counts(examples, assign(examples, [e.picture.name for e in examples], Shares(0.2, 0.2, seed)))
        assert counted["crack"] == Counter(train=3, validation=1, test=1)
        assert counted["bolt"] == Counter(train=39, validation=13, test=13)


def test_the_seed_makes_the_split_and_nothing_else_does() -> None:
    """Known answers: a split that changed between versions or machines would let validated pictures be trained on."""
    examples = [example(n, {"a"}) for n in range(10)]
    contents = [str(n) for n in range(10)]
    held = [
        [n for n, part in enumerate(assign(examples, contents, Shares(0.3, 0.0, s))) if part != "train"] for s in (0, 1)
    ]
    assert held == [[2, 4, 6], [1, 3, 6]]
