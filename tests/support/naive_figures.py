"""Figures of a resample as one would write them down: images repeated, pairs counted, fractions.

Slow, and nothing in common with `cxr.statistics` but the definitions.
"""

from __future__ import annotations

import math
from fractions import Fraction

from cxr.determinism.streams import derive_stream


def draw_groups(root, replicate, num_groups):
    """Return the groups that one replicate takes: word by word from its stream."""
    stream = derive_stream(root, "bootstrap", replicate)
    words = []
    for _ in range(-(-num_groups // 2)):
        block = stream.uint64()
        words += [block & 0xFFFFFFFF, block >> 32]
    threshold = 2**32 % num_groups
    taken = []
    for word in words[:num_groups]:
        product = word * num_groups
        taken.append(None if product % 2**32 < threshold else product >> 32)
    return [stream.below(num_groups) if group is None else group for group in taken]


def repeat_images(taken, groups):
    """Return the images of a resample: those of each group as often as it was taken."""
    names = sorted(set(groups))
    return [image for group in taken for image, name in enumerate(groups) if name == names[group]]


def compute_auroc(present, scores):
    """Return the share of pairs won, pair by pair; None where a side is empty."""
    won = [
        Fraction((mine > other) * 2 + (mine == other), 2)
        for mine, is_present in zip(scores, present, strict=True)
        if is_present
        for other, is_other in zip(scores, present, strict=True)
        if not is_other
    ]
    return float(sum(won) / len(won)) if won else None


def compute_average_precision(present, scores, fraction_bits):
    """Return the mean precision at each positive, each rounded to so many bits."""
    total, num = Fraction(0), 0
    for threshold, is_present in zip(scores, present, strict=True):
        if is_present:
            called = [
                side for side, score in zip(present, scores, strict=True) if score >= threshold
            ]
            total += round(sum(called) / len(called) * 2.0**fraction_bits)
            num += 1
    return math.ldexp(float(total / num), -fraction_bits) if num else None


def compute_mean(values, counts, fraction_bits):
    """Return the sum of values, each rounded to so many bits, over the sum of counts."""
    total = sum(round(value * 2.0**fraction_bits) for value in values)
    return math.ldexp(total / sum(counts), -fraction_bits) if sum(counts) else None


def share(part, whole):
    """Return a quotient, or None where there is nothing to divide by."""
    return part / whole if whole else None
