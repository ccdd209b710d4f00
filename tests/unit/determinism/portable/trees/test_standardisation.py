from __future__ import annotations

import hashlib

import torch

from cxr.determinism.portable.trees.standardisation import find_moments
from support.fixed_numbers import draw_fixed

# Another value is another arithmetic: raise ARITHMETIC_VERSION with it.
GOLDEN = "a64c79acb2eb01ae873e2a435b072e2710c926077d995a61263998d5c39dc10b"


def test_every_bit_of_the_moments_is_fixed():
    """In float64: rounded to float32, as networks see them, other sums would look the same."""
    offset = torch.tensor([0.0, 1.0, 300.0, -7.25, 2.0**-20])
    x = draw_fixed(6, 5, 7) + offset[:, None]
    mean, squares, count = find_moments(x, (0, 2), "a test")
    assert int(count) == 42
    found = hashlib.sha256(mean.numpy().tobytes() + squares.numpy().tobytes()).hexdigest()
    assert found == GOLDEN
