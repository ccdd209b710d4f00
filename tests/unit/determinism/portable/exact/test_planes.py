from __future__ import annotations

import itertools

import pytest
import torch

from cxr.determinism.portable.exact import digits
from cxr.determinism.portable.exact.planes import FLOAT64, INT8
from cxr.determinism.portable.exact.scaling import CHUNK, OPERAND_BITS

LARGEST = 2**OPERAND_BITS
# The digits of these are 63 and -64 throughout, and their halves beside them.
EXTREMES = [LARGEST, -LARGEST, LARGEST - 1, 1 - LARGEST, 8127, -8256, LARGEST - 129, 0, 1, -1]
BACKENDS = pytest.mark.parametrize("backend", [FLOAT64, INT8], ids=lambda backend: backend.name)
SHAPES = pytest.mark.parametrize(
    ("num_rows", "inner", "num_columns"),
    [
        (1, 1, 1),
        (5, 7, 3),
        (3, 2040, 4),  # the longest whose int8 sums are added in pairs
        (3, 2041, 4),
        (4, CHUNK, 3),
        (2, 0, 3),
        (0, 4, 3),
        (2, 4, 0),
    ],
)


def mix(num_rows, num_columns, stride):
    """All extremes, one after another, in an order that ``stride`` makes."""
    index = torch.arange(num_rows * num_columns) * stride % 97 % len(EXTREMES)
    return torch.tensor(EXTREMES, dtype=torch.int32)[index].reshape(num_rows, num_columns)


def multiply(backend, a, b):
    return backend.multiply(backend.split(a), backend.split(b))


def test_digits_are_small_and_make_up_every_operand():
    integers = torch.arange(-LARGEST, LARGEST + 1, dtype=torch.int32)
    low, middle, high = planes = INT8.split(integers).to(torch.int32)
    assert int(planes.min()) == -64
    assert int(planes.max()) == 63
    assert int(high.abs().max()) == 32
    assert torch.equal(low + 128 * middle + 2**14 * high, integers)


def test_planes_keep_the_layout_of_their_integers():
    integers = mix(2, 60, 3).reshape(2, 3, 4, 5).to(memory_format=torch.channels_last)
    for backend in (FLOAT64, INT8):
        split = backend.split(integers)
        assert split[0].is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(split, backend.split(integers.contiguous()))


@pytest.fixture(params=["wide", "side by side"])
def _arrangement(monkeypatch, request):
    """Arrange the digits of int8 in one way, whatever the shape."""
    for name in ("_WIDE_ABOVE", "_WIDE_ABOVE_LYING"):
        monkeypatch.setattr(digits, name, 0 if request.param == "wide" else CHUNK)


@BACKENDS
@SHAPES
@pytest.mark.usefixtures("_arrangement")
def test_products_are_exact(backend, num_rows, inner, num_columns):
    a, b = mix(num_rows, inner, 31), mix(inner, num_columns, 7)
    product = multiply(backend, a, b)
    # Sums of int64 are exact in any order.
    assert torch.equal(product, (a.long() @ b.long()).double())
    turned = backend.split(b.t().contiguous().t())
    assert torch.equal(backend.multiply(backend.split(a), turned), product)
    beside = [backend.split(side, inside=True) for side in (a, a.t().contiguous(), b)]
    for rows in (beside[0], beside[1].transpose(1, 2)):
        for columns in (beside[2], turned):
            assert torch.equal(backend.multiply(rows, columns), product)


@BACKENDS
@pytest.mark.usefixtures("_arrangement")
# The second is the first whose digits do not add up in pairs.
@pytest.mark.parametrize("inner", [2040, 2041, CHUNK])
def test_the_largest_sums_are_exact(backend, inner):
    for number, factor in itertools.product(EXTREMES, EXTREMES):
        a = torch.full((2, inner), number, dtype=torch.int32)
        b = torch.full((inner, 2), factor, dtype=torch.int32)
        # An odd sum as well: those are the first to go wrong beyond 2^53.
        a[1, -1], b[-1, 1] = 1, 1
        rest = (inner - 1) * number * factor
        expected = [[rest + number * factor, rest + number], [rest + factor, rest + 1]]
        assert multiply(backend, a, b).tolist() == expected


@BACKENDS
def test_zeros_are_positive(backend):
    a = torch.tensor([[-1], [0]], dtype=torch.int32)
    zero = torch.zeros(1, 1, dtype=torch.int32)
    both = torch.stack([multiply(backend, a, zero), multiply(backend, -a, zero)])
    assert not both.signbit().any()


@BACKENDS
def test_batches_are_multiplied_one_by_one(backend):
    a, b = mix(3, 8, 5).reshape(3, 2, 4), mix(3, 12, 7).reshape(3, 4, 3)
    product = backend.multiply_batched(backend.split(a), backend.split(b))
    assert torch.equal(product, torch.bmm(a.long(), b.long()).double())
