from __future__ import annotations

import math

import pytest
import torch

from cxr.determinism.portable.errors import NotFiniteError, UnsupportedError
from cxr.determinism.portable.exact.backend_choice import use_backend
from cxr.determinism.portable.exact.planes import FLOAT64, INT8
from cxr.determinism.portable.exact.products import (
    REPLACED,
    batched_matmul,
    matmul,
    multiply_planes,
)
from cxr.determinism.portable.exact.scaling import CHUNK, find_exponents
from support.fixed_numbers import draw_float32

INNER_LENGTHS = [1, 2, 7, 64, 576, 4608, CHUNK, CHUNK + 1]


def spiked(a, b):
    a[:, 0] *= 2.0**18
    b[-1] *= -(2.0**20)


def cancelling(a, b):
    half = a.shape[1] // 2
    a[:, half : 2 * half] = a[:, :half]
    b[half : 2 * half] = -b[:half] * (1 + 2.0**-20)


def mixed(a, b):
    a *= torch.tensor(2.0) ** (torch.arange(a.numel()) % 61 - 30).reshape(a.shape)
    b *= torch.tensor(2.0) ** (torch.arange(b.numel()) % 53 - 26).reshape(b.shape)


def subnormal(a, b):
    a *= 2.0**-130
    b *= 2.0**100


def tiny(a, b):
    a *= 2.0**-75
    b *= 2.0**-72


def huge(a, b):
    a *= 2.0**120
    b *= 2.0**-10


def just_below_a_power(a, b):
    a.fill_(1 - 2.0**-24)
    b.fill_(-(1 - 2.0**-24))


SHAPERS = [spiked, cancelling, mixed, subnormal, tiny, huge, just_below_a_power]


def bound_error(a, b, product, slices):
    """The bound in the module's docstring, an element each."""
    unit = 2.0 ** (-20 * slices)
    inner = a.shape[1]
    two = torch.tensor(2.0, dtype=torch.float64)
    rows, columns = two ** find_exponents(a, (1,)), two ** find_exponents(b, (0,))
    both = rows * columns * inner
    bound = (
        unit * rows * b.double().abs().sum(0) + unit * columns * a.double().abs().sum(1)[:, None]
    )
    bound += both * unit**2 + both * (math.ceil(inner / CHUNK) - 1) * 2.0**-53
    bound += both * 2.0**-52 * (slices - 1)
    return bound + product.double().abs() * 2.0**-24 + 2.0**-150


def multiply_exactly(a, b):
    """The product rounded once to float64: a product of two float32 is exact there."""
    rows, columns = a.double().tolist(), b.double().t().tolist()
    sums = [[math.fsum(map(float.__mul__, row, column)) for column in columns] for row in rows]
    return torch.tensor(sums, dtype=torch.float64)


@pytest.mark.parametrize("shape", SHAPERS)
def test_errors_stay_below_their_bound(shape):
    for inner in INNER_LENGTHS:
        a, b = draw_float32((3, inner), 1), draw_float32((inner, 2), 2)
        shape(a, b)
        expected = multiply_exactly(a, b)
        for slices in (1, 2):
            product = matmul(a, b, slices=slices)
            error = (product.double() - expected).abs()
            assert (error <= bound_error(a, b, product, slices)).all(), (inner, slices)


def test_one_slice_is_accurate_to_its_row_and_two_to_float32():
    a, b = draw_float32((8, 576), 1), draw_float32((576, 8), 2)
    expected = multiply_exactly(a, b)
    scale = a.double().abs() @ b.double().abs()
    one = ((matmul(a, b).double() - expected).abs() / scale).max()
    two = ((matmul(a, b, slices=2).double() - expected).abs() / expected.abs()).max()
    assert 2.0**-27 < one < 2.0**-18
    # Rounded rightly, or as good as that.
    assert two <= 2.0**-24 * (1 + 2.0**-10)


@pytest.mark.parametrize("inner", [CHUNK, CHUNK + 1, 3 * CHUNK + 5, 10**6])
def test_chunks_are_exact_and_added_in_their_order(inner):
    index = torch.arange(inner)
    a = (2**19 - index * 7 % 4096).to(torch.int32).reshape(1, -1)
    b = (2**19 - index * 5 % 2048).to(torch.int32).reshape(-1, 1)
    expected = 0.0
    for start in range(0, inner, CHUNK):
        chunk = slice(start, start + CHUNK)
        numbers = zip(a[0, chunk].tolist(), b[chunk, 0].tolist(), strict=True)
        expected += sum(number * factor for number, factor in numbers)
    # The last is beyond what one sum in float64 holds, so that the cuts matter.
    for backend in (FLOAT64, INT8):
        assert float(multiply_planes(backend.split(a), backend.split(b))) == expected


def test_where_chunks_begin_and_in_which_order_they_are_added_is_fixed():
    # Chunks of 2^52, 2^52, 1 and 1: each one is lost to the 2^53 before it, but not both together.
    a = torch.zeros(1, 2**16, dtype=torch.int32)
    a[0, : 2**15] = 2**19
    b = a.t().clone()
    a[0, [2**15, 3 * 2**14]], b[[2**15, 3 * 2**14], 0] = 1, 1
    for backend in (FLOAT64, INT8):
        assert int(multiply_planes(backend.split(a), backend.split(b))) == 2**53


def test_an_exponent_belongs_to_its_row_and_column_alone():
    a, b = draw_float32((6, 40), 1), draw_float32((40, 5), 2)
    whole = matmul(a, b)
    a[0], b[:, 0] = a[0] * 2**30, b[:, 0] * 2.0**-30
    assert torch.equal(matmul(a, b)[1:, 1:], whole[1:, 1:])
    assert torch.equal(matmul(a[2:3], b[:, 3:4]), whole[2:3, 3:4])


@pytest.mark.parametrize("backend", ["float64", "int8"])
@pytest.mark.parametrize("slices", [1, 2])
def test_layouts_and_backends_give_the_same_bits(backend, slices):
    a, b = draw_float32((5, 70), 1), draw_float32((70, 9), 2)
    with use_backend("float64"):
        expected = matmul(a, b, slices=slices)
    wide_a, wide_b = torch.full((10, 210), math.nan), torch.full((140, 18), math.nan)
    wide_a[::2, ::3], wide_b[::2, ::2] = a, b
    with use_backend(backend):
        for left in (a, a.t().contiguous().t(), wide_a[::2, ::3]):
            for right in (b, b.t().contiguous().t(), wide_b[::2, ::2]):
                assert torch.equal(matmul(left, right, slices=slices), expected)
        repeated = matmul(a[:1].expand(4, -1), b[:, :1].expand(-1, 3), slices=slices)
        assert torch.equal(repeated, expected[:1, :1].expand(4, 3))
        batch = batched_matmul(a.expand(2, 5, 70), torch.stack([b, -b]), slices=slices)
        assert torch.equal(batch, torch.stack([expected, -expected]))


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 0, 3), (2, 3, 0), (0, 0, 0), (1, 1, 1)])
@pytest.mark.parametrize("slices", [1, 2])
def test_shapes_without_elements_and_with_one(shape, slices):
    num_rows, inner, num_columns = shape
    a, b = torch.full((num_rows, inner), 1.5), torch.full((inner, num_columns), -2.5)
    expected = torch.full((num_rows, num_columns), -3.75 * inner) + 0.0
    for name in ("float64", "int8"):
        with use_backend(name):
            product = matmul(a, b, slices=slices)
            assert torch.equal(product, expected)
            assert not inner or product.dtype == torch.float32
            batch = batched_matmul(a.expand(3, -1, -1), b.expand(3, -1, -1), slices=slices)
            assert torch.equal(batch, expected.expand(3, -1, -1))
    assert batched_matmul(a.expand(0, -1, -1), b.expand(0, -1, -1)).shape == (0, *expected.shape)


def test_a_product_beyond_float32_is_infinite():
    a = torch.tensor([[3e38, 3e38], [-3e38, 0.0]])
    assert matmul(a, a.t()).tolist() == [[math.inf, -math.inf], [-math.inf, math.inf]]


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_operands_that_are_not_finite_are_refused(number):
    a, b = torch.ones(2, 3), torch.ones(3, 2)
    b[2, 1] = number
    with pytest.raises(NotFiniteError):
        matmul(a, b)
    with pytest.raises(NotFiniteError):
        matmul(b, a)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.int64])
def test_other_dtypes_are_refused(dtype):
    single = torch.ones(2, 2)
    for operands in ((single, single.to(dtype)), (single.to(dtype), single)):
        with pytest.raises(UnsupportedError, match=str(dtype)):
            matmul(*operands)
    with pytest.raises(UnsupportedError, match=str(dtype)):
        REPLACED["aten.addmm.default"](single.to(dtype), single, single)
    with pytest.raises(UnsupportedError, match=str(dtype)):
        REPLACED["aten.mm.out"](single, single, out=single.to(dtype))


def test_inner_lengths_that_differ_are_an_error_though_their_first_chunks_fit():
    with pytest.raises(ValueError, match="inner lengths"):
        matmul(torch.ones(1, CHUNK), torch.ones(CHUNK + 1, 1))
    with pytest.raises(ValueError, match="batches"):
        batched_matmul(torch.ones(1, 2, 2), torch.ones(2, 2, 2))


OPERANDS = {
    "mm": [(3, 4), (4, 5)],
    "bmm": [(2, 3, 4), (2, 4, 5)],
    "mv": [(3, 4), (4,)],
    "dot": [(40,), (40,)],
    "vdot": [(40,), (40,)],
    "addmm": [(3, 5), (3, 4), (4, 5)],
    "baddbmm": [(2, 3, 5), (2, 3, 4), (2, 4, 5)],
    "addmv": [(3,), (3, 4), (4,)],
    "addr": [(3, 5), (3,), (5,)],
}
FACTORS = [{}, {"alpha": 0.3}, {"beta": -2.5}, {"alpha": 2, "beta": 0}, {"alpha": 0, "beta": 1}]


@pytest.mark.parametrize("name", REPLACED)
def test_ops_are_called_as_torch_calls_them(name):
    _, op, overload = name.split(".")
    native = getattr(getattr(torch.ops.aten, op), overload)
    assert str(native) == name
    adds = op.startswith(("add", "badd"))
    shapes = OPERANDS[op.rstrip("_")]
    operands = [draw_float32(shape, stream) for stream, shape in enumerate(shapes)]
    for options in FACTORS if adds else [{}]:
        ours, theirs = [x.clone() for x in operands], [x.double() for x in operands]
        into = {}, {}
        if overload == "out":
            into = {"out": torch.zeros(0)}, {"out": torch.zeros(0).double()}
        result = REPLACED[name](*ours, **options, **into[0])
        expected = native(*theirs, **options, **into[1])
        assert result.dtype == torch.float32
        assert result.shape == expected.shape
        assert torch.allclose(result.double(), expected, rtol=0, atol=1e-4)
        if op.endswith("_"):
            assert result is ours[0]
        elif overload == "out":
            assert result is into[0]["out"]
        else:
            assert torch.equal(ours[0], operands[0])


def test_a_summand_times_zero_is_left_out():
    summand = torch.full((2, 2), math.nan)
    ones = torch.ones(2, 2)
    assert torch.equal(REPLACED["aten.addmm.default"](summand, ones, ones, beta=0), 2 * ones)


def test_a_summand_is_broadcast():
    a, b = draw_float32((3, 4), 1), draw_float32((4, 5), 2)
    for shape in ((5,), (1, 5), (3, 1), ()):
        summand = draw_float32(shape, 3)
        expected = matmul(a, b) + summand
        assert torch.equal(REPLACED["aten.addmm.default"](summand, a, b), expected)


def test_factors_are_applied_by_single_steps():
    summand, a, b = (draw_float32((16, 16), stream) for stream in range(3))
    third, tenth = torch.tensor(1 / 3), torch.tensor(0.1)
    expected = matmul(a, b) * third + summand * tenth
    added = REPLACED["aten.addmm.default"](summand, a, b, alpha=1 / 3, beta=0.1)
    assert torch.equal(added, expected)
