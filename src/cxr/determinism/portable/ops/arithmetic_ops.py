"""Elementwise ops as one IEEE operation after the other.

Torch's kernels fuse a multiplication with an addition where the processor can (``alpha=``,
``value=``, ``lerp``), and take functions from whatever library is there. Here each is a sequence of
separate ops. A scalar is first rounded to the dtype of the tensor beside it, and becomes a tensor
itself: some devices would otherwise multiply by its reciprocal where division is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch

from cxr.determinism.portable.errors import UnsupportedError

Tensor = torch.Tensor
Scalar = bool | int | float
Operand = Tensor | Scalar

_HALF: Final = 0.5


def constant(value: Operand, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return an operand as a tensor of a dtype; a scalar is rounded to it, half to even."""
    if isinstance(value, Tensor):
        return value if value.dtype is dtype else value.to(dtype)
    return torch.full((), value, dtype=dtype, device=device)


def _pair(self: Operand, other: Operand) -> tuple[Tensor, Tensor] | None:
    """Return both operands in the dtype that they are computed in, or None if it is of integers."""
    if isinstance(self, Tensor) and isinstance(other, Tensor) and self.dtype is other.dtype:
        return (self, other) if self.is_floating_point() else None
    dtype = torch.result_type(self, other)
    if not dtype.is_floating_point:
        return None
    device = self.device if isinstance(self, Tensor) else other.device  # type: ignore[union-attr]
    return constant(self, dtype, device), constant(other, dtype, device)


def add(self: Operand, other: Operand, alpha: Scalar = 1) -> Tensor:
    """Return ``self + alpha * other``; the product is rounded first."""
    pair = _pair(self, other)
    if pair is None:
        return torch.add(self, other, alpha=alpha)
    return torch.add(pair[0], _scaled(pair[1], alpha))


def add_(self: Tensor, other: Operand, alpha: Scalar = 1) -> Tensor:
    """Add ``alpha * other`` to ``self`` in its place."""
    pair = _pair(self, other)
    if pair is None:
        return self.add_(other, alpha=alpha)
    return _in_place(self, pair).add_(_scaled(pair[1], alpha))


def sub(self: Operand, other: Operand, alpha: Scalar = 1) -> Tensor:
    """Return ``self - alpha * other``; the product is rounded first."""
    pair = _pair(self, other)
    if pair is None:
        return torch.sub(self, other, alpha=alpha)
    return torch.sub(pair[0], _scaled(pair[1], alpha))


def sub_(self: Tensor, other: Operand, alpha: Scalar = 1) -> Tensor:
    """Take ``alpha * other`` from ``self`` in its place."""
    pair = _pair(self, other)
    if pair is None:
        return self.sub_(other, alpha=alpha)
    return _in_place(self, pair).sub_(_scaled(pair[1], alpha))


def rsub(self: Tensor, other: Operand, alpha: Scalar = 1) -> Tensor:
    """Return ``other - alpha * self``."""
    return sub(other, self, alpha)


def mul(self: Operand, other: Operand) -> Tensor:
    """Return the product."""
    pair = _pair(self, other)
    return torch.mul(*(pair or (self, other)))


def mul_(self: Tensor, other: Operand) -> Tensor:
    """Multiply in place."""
    pair = _pair(self, other)
    return self.mul_(other) if pair is None else _in_place(self, pair).mul_(pair[1])


def div(self: Operand, other: Operand) -> Tensor:
    """Return the quotient; integers are turned into float32 first."""
    pair = _pair(self, other)
    if pair is None:
        tensor = self if isinstance(self, Tensor) else other
        default = torch.get_default_dtype()
        pair = (
            constant(self, default, tensor.device),  # type: ignore[union-attr]
            constant(other, default, tensor.device),  # type: ignore[union-attr]
        )
    return torch.div(*pair)


def div_(self: Tensor, other: Operand) -> Tensor:
    """Divide in place."""
    pair = _pair(self, other)
    if pair is None:
        raise UnsupportedError("integers cannot hold a quotient")
    return _in_place(self, pair).div_(pair[1])


def addcmul(self: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Scalar = 1) -> Tensor:
    """Return ``self + (value * tensor1) * tensor2``."""
    return add(self, mul(_scaled(tensor1, value), tensor2))


def addcmul_(self: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Scalar = 1) -> Tensor:
    """Add ``(value * tensor1) * tensor2`` in place."""
    return add_(self, mul(_scaled(tensor1, value), tensor2))


def addcdiv(self: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Scalar = 1) -> Tensor:
    """Return ``self + (value * tensor1) / tensor2``."""
    return add(self, _scaled_quotient(tensor1, tensor2, value))


def addcdiv_(self: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: Scalar = 1) -> Tensor:
    """Add ``(value * tensor1) / tensor2`` in place."""
    return add_(self, _scaled_quotient(tensor1, tensor2, value))


def lerp(self: Tensor, end: Tensor, weight: Operand) -> Tensor:
    """Go from ``self`` to ``end``, from whichever of the two is nearer.

    Source: torch's formula in ``aten/src/ATen/native/Lerp.h``.

    Raises:
        UnsupportedError: Integers, or operands of several dtypes, as torch does.
    """
    dtypes = {value.dtype for value in (self, end, weight) if isinstance(value, Tensor)}
    if len(dtypes) > 1 or not self.is_floating_point():
        raise UnsupportedError("lerp of integers, or of several dtypes")
    distance = sub(end, self)
    if isinstance(weight, Tensor):
        near = add(self, mul(weight, distance))
        far = sub(end, mul(distance, sub(1.0, weight)))
        return torch.where(weight.abs() < _HALF, near, far)
    if abs(weight) < _HALF:
        return add(self, mul(distance, weight))
    return sub(end, mul(distance, sub(1.0, constant(weight, self.dtype, self.device))))


def lerp_(self: Tensor, end: Tensor, weight: Operand) -> Tensor:
    """Go towards ``end`` in place."""
    return self.copy_(lerp(self, end, weight))


def square(self: Tensor) -> Tensor:
    """Return ``self * self``."""
    return mul(self, self)


def square_(self: Tensor) -> Tensor:
    """Multiply by itself in place."""
    return mul_(self, self)


def _scaled_quotient(tensor1: Tensor, tensor2: Tensor, value: Scalar) -> Tensor:
    """Return ``(value * tensor1) / tensor2``.

    Raises:
        UnsupportedError: Both are of integers, which torch does not divide here either.
    """
    if not (tensor1.is_floating_point() or tensor2.is_floating_point()):
        raise UnsupportedError("addcdiv of integers")
    return div(_scaled(tensor1, value), tensor2)


def _scaled(tensor: Tensor, alpha: Scalar) -> Tensor:
    if alpha == 1:
        return tensor
    return torch.mul(tensor, constant(alpha, tensor.dtype, tensor.device))


def _in_place(self: Tensor, pair: tuple[Tensor, Tensor]) -> Tensor:
    """Return what is written to, where it has the dtype that is computed in."""
    if pair[0] is not self:
        raise UnsupportedError("an operand has more digits than what it is added to in place")
    return self


REPLACED: Final[dict[str, Callable[..., Any]]] = {
    "aten.add.Tensor": lambda self, other, *, alpha=1: add(self, other, alpha),
    "aten.add_.Tensor": lambda self, other, *, alpha=1: add_(self, other, alpha),
    "aten.add.Scalar": add,
    "aten.add_.Scalar": add_,
    "aten.sub.Tensor": lambda self, other, *, alpha=1: sub(self, other, alpha),
    "aten.sub_.Tensor": lambda self, other, *, alpha=1: sub_(self, other, alpha),
    "aten.sub.Scalar": sub,
    "aten.sub_.Scalar": sub_,
    "aten.rsub.Tensor": lambda self, other, *, alpha=1: rsub(self, other, alpha),
    "aten.rsub.Scalar": rsub,
    "aten.mul.Tensor": mul,
    "aten.mul_.Tensor": mul_,
    "aten.mul.Scalar": mul,
    "aten.mul_.Scalar": mul_,
    "aten.div.Tensor": div,
    "aten.div_.Tensor": div_,
    "aten.div.Scalar": div,
    "aten.div_.Scalar": div_,
    "aten.addcmul.default": addcmul,
    "aten.addcmul_.default": addcmul_,
    "aten.addcdiv.default": addcdiv,
    "aten.addcdiv_.default": addcdiv_,
    "aten.lerp.Scalar": lerp,
    "aten.lerp_.Scalar": lerp_,
    "aten.lerp.Tensor": lerp,
    "aten.lerp_.Tensor": lerp_,
    "aten.square.default": square,
    "aten.square_.default": square_,
}
