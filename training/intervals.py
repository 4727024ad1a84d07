"""How sure a counted share is, and a counted difference. Pure."""

import math

NORMAL = 1.959963984540054
"""Half of the width, in standard deviations, of what holds 95 % of a normal distribution."""


def share_interval(count: int, total: int) -> tuple[float, float]:
    """Return between what the true share lies with 95 % confidence, where ``count`` of ``total`` were seen.

    Wilson's score interval (E. B. Wilson, JASA 22, 1927), which also holds for none and for all; 0..1 without any.
    """
    if not total:
        return 0.0, 1.0
    seen, squared = count / total, NORMAL**2
    centre = (seen + squared / (2 * total)) / (1 + squared / total)
    reach = NORMAL / (1 + squared / total) * math.sqrt(seen * (1 - seen) / total + squared / (4 * total**2))
    # at none and at all the bound is exact, but for rounding
    low = 0.0 if count == 0 else max(0.0, centre - reach)
    return low, 1.0 if count == total else min(1.0, centre + reach)


def paired_chance(only_one: int, only_other: int) -> float:
    """Return how probable so uneven a count is, or a more uneven one, if neither of two models is better.

    ``only_one`` counts the pictures that only the one has right, ``only_other`` those that only the other has.
    McNemar's test, exact and two-sided: twice the tail of a binomial distribution with 1/2, at most 1.
    """
    total = only_one + only_other
    tail, ways = 0, 1  # whole numbers, each from the one before: exact, and quick for thousands
    for count in range(min(only_one, only_other) + 1):
        tail += ways
        ways = ways * (total - count) // (count + 1)
    return min(1.0, 2 * tail / (1 << total))
