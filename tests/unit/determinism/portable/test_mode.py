from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from cxr.determinism.portable import table
from cxr.determinism.portable.exact import products
from cxr.determinism.portable.layers import piecewise
from cxr.determinism.portable.mode import PortableArithmetic, portable_arithmetic
from cxr.determinism.portable.ops import arithmetic_ops, creation, gathering
from cxr.errors import DeterminismError, TrainingError
from cxr.training.op_trace import OpTrace

SMALL = table.Table(
    replaced={
        **products.REPLACED,
        **arithmetic_ops.REPLACED,
        **creation.REPLACED,
        **gathering.REPLACED,
        **piecewise.REPLACED,
    }
)
ROWS = torch.arange(12, dtype=torch.float32).reshape(3, 4) / torch.tensor(7.0)
WHOLE = torch.zeros(3, 4, dtype=torch.int64)


def compute(where="step 3"):
    return PortableArithmetic(where=where, table=SMALL)


class Unknown(nn.Module):
    def forward(self, x):
        return torch.special.bessel_j0(x)


class UnknownBackwards(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        del ctx
        return x * 2.0

    @staticmethod
    def backward(ctx, grad):
        del ctx
        return torch.special.bessel_j0(grad)


def test_an_op_that_nobody_knows_is_refused_by_name_with_its_module():
    with pytest.raises(DeterminismError) as caught, compute():
        nn.Sequential(nn.Flatten(), Unknown())(ROWS)
    assert str(caught.value).splitlines() == [
        "aten.special_bessel_j0.default has no portable form",
        "  where: step 3, Unknown",
        "  do:    choose a model without it, or determinism: strict (the bits of this machine)",
    ]


def test_it_is_refused_in_the_backward_pass():
    x = ROWS.clone().requires_grad_()
    with pytest.raises(DeterminismError, match="special_bessel_j0"), compute():
        UnknownBackwards.apply(x).backward(ROWS)


def test_it_is_refused_in_the_optimizer():
    weight = nn.Parameter(ROWS.clone())
    weight.grad = ROWS.clone()
    with pytest.raises(DeterminismError, match=r"aten\._fused_sgd_"), compute():
        torch.optim.SGD([weight], lr=0.1, fused=True).step()
    assert torch.equal(weight, ROWS)


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_an_op_is_seen_whether_or_not_gradients_are_taken(context):
    with context(), pytest.raises(DeterminismError, match="special_bessel_j0"), compute():
        torch.special.bessel_j0(ROWS)


def test_evaluation_computes_what_training_computes():
    weight = ROWS[:2].clone().requires_grad_()
    with compute():
        trained = functional.linear(ROWS, weight, torch.ones(2))
        with torch.inference_mode():
            evaluated = functional.linear(ROWS, weight, torch.ones(2))
    assert torch.equal(trained.detach(), evaluated)
    assert torch.equal(evaluated, products.matmul(ROWS, ROWS[:2].T) + torch.ones(2))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (ROWS.bfloat16, "torch.bfloat16"),
        (lambda: ROWS.half() + 1, "torch.float16"),
        (lambda: torch.complex(ROWS, ROWS) + 1, "complex"),
        (lambda: ROWS.to_sparse() + 1, "layout|_to_sparse"),
        (lambda: torch.cumsum(ROWS, 0), "tensors of floats"),
        (lambda: torch.cumsum(ROWS.int(), 0, dtype=torch.float32), "a result of floats"),
        (lambda: torch.sort(ROWS.int(), stable=False), "an order of equal elements"),
        (lambda: torch.fmod(torch.arange(3), 0.5), "no whole number"),
        (lambda: torch.arange(0.0, 1.0, 0.1), "small whole numbers"),
        (lambda: (ROWS * 1e10).to(torch.int32), "outside the range of torch.int32"),
        (lambda: WHOLE.slice_scatter(ROWS * 1e30), "slice_scatter.*outside the range"),
        (lambda: WHOLE.select_scatter(ROWS[2] * 1e30, 0, 1), "select_scatter.*outside the range"),
        (lambda: WHOLE.clone().fill_(ROWS[2, 2] * 1e30), "fill_.Tensor.*outside the range"),
        (lambda: WHOLE.byte().slice_scatter(ROWS - 1), "outside the range of torch.uint8"),
    ],
)
def test_what_the_table_does_not_speak_of_is_refused(make, told):
    with pytest.raises(DeterminismError, match=told), compute():
        make()


def test_infinities_in_a_product_are_an_error_of_training():
    with (
        pytest.raises(TrainingError, match=r"aten.mm.default was given infinities or NaN"),
        compute(),
    ):
        ROWS @ (ROWS.T * torch.inf)
    for convert in (
        lambda: (ROWS * torch.nan).to(torch.int64),
        lambda: WHOLE.slice_scatter(ROWS * torch.nan),
        lambda: WHOLE.select_scatter(ROWS[2] * torch.inf, 0, 1),
        lambda: WHOLE.clone().fill_(ROWS[2, 2] * torch.nan),
    ):
        with pytest.raises(TrainingError), compute():
            convert()


def test_integers_and_exact_conversions_pass():
    with compute():
        numbers = torch.arange(6, dtype=torch.float32)
        assert torch.cumsum(numbers.to(torch.int64), 0).tolist() == [0, 1, 3, 6, 10, 15]
        assert (numbers.double() / 4).float().tolist() == [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]
        assert int(torch.arange(5)[2]) == 2
        assert WHOLE[0].slice_scatter(ROWS[2, :2] * 7, 0, 0, 4, 2).tolist() == [8, 0, 9, 0]
        assert WHOLE[:2, :2].select_scatter(ROWS[2, :2] * 7, 1, 0).tolist() == [[8, 0], [9, 0]]
        assert ROWS.clone().fill_(ROWS[1, 3]).unique().tolist() == [1.0]


def test_of_two_zeros_the_positive_one_wins():
    zeros = torch.tensor([-0.0, 0.0])
    with compute():
        found = [
            torch.maximum(zeros, zeros.flip(0)),
            torch.minimum(zeros, zeros.flip(0)),
            zeros.clamp(min=-0.0),
            zeros.clone().clamp_(max=0.0),
        ]
    assert not any(torch.signbit(one).any() for one in found)


def test_autocast_is_refused():
    with (
        torch.autocast("cpu", dtype=torch.bfloat16),
        pytest.raises(DeterminismError, match="autocast is on"),
        portable_arithmetic("step 0"),
    ):
        pass


def test_a_trace_inside_sees_every_op_once():
    with compute(), OpTrace() as trace:
        ROWS @ ROWS.T + 1.0
    assert [record.op for record in trace.records] == ["aten.mm.default", "aten.add.Tensor"]


def test_the_mode_is_off_after_an_error():
    with pytest.raises(DeterminismError), compute():
        torch.special.bessel_j0(ROWS)
    assert torch.special.bessel_j0(ROWS).shape == ROWS.shape
