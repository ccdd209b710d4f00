"""The table of aten ops: each one is safe as it is, replaced, or refused by name.

Nothing passes that is not in it. That is what makes the promise honest: a model, a loss or an
optimizer that calls anything else is told so instead of being computed with bits of this machine.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Handler = Callable[..., Any]

MODULES: Final = (
    "exact.products",
    "exact.convolution",
    "elementary.functions",
    "layers.activations",
    "layers.piecewise",
    "layers.gated",
    "layers.softmax",
    "layers.losses",
    "trees.reductions",
    "trees.norms",
    "trees.extremes",
    "layers.normalisation",
    "layers.pooling",
    "random.random_numbers",
    "ops.arithmetic_ops",
    "ops.gathering",
    "ops.scattering",
    "ops.padding",
    "ops.creation",
)
"""Modules in the rooms here whose ``REPLACED`` names ops and what computes them instead."""


def _name(overloads: str) -> frozenset[str]:
    """Return the full names of a list: ``view`` stands for ``aten.view.default``."""
    return frozenset(
        f"aten.{one}" if "." in one else f"aten.{one}.default" for one in overloads.split()
    )


def _pair(overloads: str) -> frozenset[str]:
    """Return the full names of a list, and of the same ops in place: ``eq`` and ``eq_``."""
    names = _name(overloads)
    return names | {
        ".".join((aten, f"{op}_", kind)) for aten, op, kind in (n.split(".") for n in names)
    }


VIEWS: Final = _name(
    """alias as_strided as_strided_ detach detach_ diagonal expand lift lift_fresh permute
    select.int slice.Tensor split.Tensor split_with_sizes squeeze squeeze.dim squeeze.dims
    squeeze_.dim t t_ transpose.int transpose_ unbind.int unfold unsqueeze unsqueeze_ view
    view.dtype _unsafe_view _reshape_alias movedim.int"""
)
"""The same memory, read otherwise."""

COPIES: Final = _name(
    """cat clone constant_pad_nd flip index.Tensor index_select gather masked_fill.Scalar
    masked_fill.Tensor masked_fill_.Scalar masked_fill_.Tensor masked_select pixel_shuffle
    pixel_unshuffle reflection_pad1d reflection_pad2d repeat repeat_interleave.self_int
    replication_pad1d replication_pad2d roll select_backward slice_backward stack tril triu
    where.self where.ScalarOther where.ScalarSelf where.Scalar embedding channel_shuffle"""
)
"""Each element of the result is one element of the operands, or a constant."""

CREATED: Final = _name(
    """empty.memory_format empty_like empty_strided eye eye.m fill_.Scalar full full_like
    new_empty new_empty_strided new_full new_ones new_zeros ones ones_like scalar_tensor
    zero_ zeros zeros_like _efficientzerotensor resize_
    set_.source_Tensor set_.source_Storage set_.source_Storage_storage_offset"""
)
"""New memory, with a constant in it or with nothing yet."""

COMPARISONS: Final = _pair(
    """eq.Scalar ne.Scalar lt.Scalar le.Scalar gt.Scalar ge.Scalar eq.Tensor ne.Tensor lt.Tensor
    le.Tensor gt.Tensor ge.Tensor logical_and logical_or logical_xor logical_not"""
) | _name(
    """isnan isinf isfinite isposinf isneginf any any.dim any.dims all all.dim all.dims equal
    is_same_size nonzero _local_scalar_dense item"""
)
"""The answer is a truth value, an index, or the element itself."""

EXACT: Final = _pair("neg abs sign sgn floor ceil round trunc")
"""One element in, one out, and every result is a float that needs no rounding."""

OF_INTEGERS: Final = _name(
    """bitwise_and.Tensor bitwise_and.Scalar bitwise_or.Tensor bitwise_or.Scalar bitwise_xor.Tensor
    bitwise_xor.Scalar bitwise_not bitwise_left_shift.Tensor bitwise_right_shift.Tensor
    bitwise_left_shift.Tensor_Scalar bitwise_right_shift.Tensor_Scalar __lshift__.Scalar
    __rshift__.Scalar __and__.Tensor __or__.Tensor floor_divide floor_divide.Scalar
    remainder.Tensor remainder.Scalar fmod.Tensor fmod.Scalar cumsum bincount one_hot unique_dim
    argsort.stable sort.stable prod max min"""
)
"""Safe where every operand is of integers or truth values."""

SAFE: Final = VIEWS | COPIES | CREATED | COMPARISONS | EXACT
"""Ops that give the same bits as they are, for every dtype of `KNOWN_DTYPES`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Every op that may be called.

    Attributes:
        replaced: What computes an op instead, by the op's name.
    """

    replaced: Mapping[str, Handler]

    def knows(self, name: str) -> bool:
        """Say whether an op may be called at all."""
        return name in self.replaced or name in SAFE or name in OF_INTEGERS


def load_table(slices: int = 1) -> Table:
    """Return the table; the modules that compute are imported here.

    Args:
        slices: Of each operand of a product, one or two.

    Raises:
        ValueError: Two modules replace the same op, or one replaces an op that is safe.
    """
    found: dict[str, tuple[str, Handler]] = {}
    for name in MODULES:
        module = importlib.import_module(f"cxr.determinism.portable.{name}")
        replaced = module.REPLACED
        if slices == 2:  # noqa: PLR2004 - the number itself
            replaced = getattr(module, "REPLACED_WITH_TWO_SLICES", replaced)
        merge(found, name, replaced)
    return Table(replaced={op: handler for op, (_, handler) in found.items()})


def merge(
    found: dict[str, tuple[str, Handler]], module: str, replaced: Mapping[str, Handler]
) -> None:
    """Add a module's ops to those found.

    Raises:
        ValueError: An op stands in the table already.
    """
    for op, handler in replaced.items():
        if op in found:
            raise ValueError(f"{op} is replaced by {found[op][0]} and by {module}")
        if op in SAFE:
            raise ValueError(f"{op} is safe as it is, and {module} replaces it")
        found[op] = (module, handler)
