"""A test of two models' decisions on the same images: which of them is right more often.

Only discordant images count, those that one decides rightly and the other wrongly. Images of one
patient are no independent evidence, so what is taken to be exchangeable is a whole patient.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import accumulate
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionTest:
    """What a test of two models' decisions found.

    Attributes:
        only_first: Images that the first model alone decides rightly.
        only_second: Images that the second alone decides rightly.
        discordant_groups: Groups in which one model has more images right than the other.
        p_value: Two-sided and exact; 1 where no group is discordant.
        method: What was done, in words.
    """

    only_first: int
    only_second: int
    discordant_groups: int
    p_value: float
    method: str

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)


def compare_decisions(
    first_right: Sequence[bool], second_right: Sequence[bool], groups: Sequence[object]
) -> DecisionTest:
    """Test whether two models are right equally often.

    Each group has a lead d: images that the second model alone has right minus those that the first
    alone has right. If the models do not differ, each group could as well have had -d. The p-value
    is the share of the 2^K equally likely choices of signs, of K groups with a lead, whose sum is
    at least as far from 0 as the one seen. It is counted in whole numbers, for any K. With one
    image a group this is McNemar's exact test, where it is a sum of binomial numbers.

    Source: McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 1947; Fisher, "The design of experiments", 1935, section 21, for the
    signs.

    Args:
        first_right: Whether the first model decides each image rightly.
        second_right: Whether the second does.
        groups: Patient of each image.
    """
    leads: Counter[object] = Counter()
    only_first = only_second = 0
    for one, other, group in zip(first_right, second_right, groups, strict=True):
        only_first += bool(one) and not other
        only_second += bool(other) and not one
        leads[group] += int(bool(other)) - int(bool(one))
    found = [lead for lead in leads.values() if lead]
    is_single = len(leads) == len(groups)
    return DecisionTest(
        only_first=only_first,
        only_second=only_second,
        discordant_groups=len(found),
        p_value=_derive_sign_probability(found),
        method="McNemar, exact" if is_single else "exact signs of patients",
    )


def _derive_sign_probability(leads: Sequence[int]) -> float:
    """Return how likely signs by chance lead at least as far from 0.

    Signs come in mirrored pairs, so it is twice the share of those whose positive leads add up to
    no more than the lesser side did. Leads of 1 are counted by binomial numbers, the others, of
    which there are few, one sum by one.
    """
    total, distance = sum(abs(lead) for lead in leads), abs(sum(leads))
    if not distance:
        return 1.0
    most = (total - distance) // 2
    larger = [abs(lead) for lead in leads if abs(lead) > 1]
    up_to = list(accumulate(_list_binomials(len(leads) - len(larger))))
    lesser = sum(
        num * up_to[min(most - positive, len(up_to) - 1)]
        for positive, num in enumerate(_count_sums(larger))
        if positive <= most
    )
    return float(Fraction(2 * lesser, 2 ** len(leads)))


def _list_binomials(num: int) -> list[int]:
    """Return ``num`` over 0 to ``num``."""
    found = [1]
    for taken in range(num):
        found.append(found[-1] * (num - taken) // (taken + 1))
    return found


def _count_sums(sizes: Sequence[int]) -> list[int]:
    """Return, by sum, how many choices among the sizes add up to it.

    The counts are coefficients of the product of ``1 + x^size``. One whole number holds them all,
    in fields of bytes that none of them overflows.
    """
    width = len(sizes) // 8 + 1
    packed = 1
    for size, num in Counter(sizes).items():
        fields = [count.to_bytes(width * size, "little") for count in _list_binomials(num)]
        packed *= int.from_bytes(b"".join(fields), "little")
    content = packed.to_bytes((sum(sizes) + 1) * width, "little")
    return [
        int.from_bytes(content[start : start + width], "little")
        for start in range(0, len(content), width)
    ]
