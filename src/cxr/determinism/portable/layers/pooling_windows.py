"""Where pooling windows lie along the axes of a picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from cxr.determinism.portable.errors import UnsupportedError

Sizes = Sequence[int] | int
"""One number for both axes, or height and width; an empty one stands for a default."""

Place = tuple[Any, ...]
"""What a tensor is indexed with."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """How windows lie along one axis.

    Attributes:
        length: Of the input.
        num_windows: Of the output.
        kernel: Elements of a window.
        stride: From one window to the next.
        padding: Elements before the first, and after the last.
        dilation: From one element of a window to the next.
    """

    length: int
    num_windows: int
    kernel: int
    stride: int
    padding: int
    dilation: int

    def find_windows(self, offset: int) -> tuple[slice, slice] | None:
        """Return the windows whose element ``offset`` lies in the input, and where it lies.

        Returns:
            A slice of windows and the slice of input elements; None if there are none.
        """
        start = offset * self.dilation - self.padding
        first = max(0, -(start // self.stride))
        last = min(self.num_windows - 1, (self.length - 1 - start) // self.stride)
        if first > last:
            return None
        begin = start + first * self.stride
        end = start + last * self.stride + 1
        return slice(first, last + 1), slice(begin, end, self.stride)

    def count(self, *, padded: bool) -> Tensor:
        """Return how many elements each window averages over: shape (num_windows,), int64.

        Args:
            padded: Count what lies in the padding, but nothing beyond it.
        """
        start = torch.arange(self.num_windows) * self.stride - self.padding
        end = torch.clamp(start + self.kernel, max=self.length + self.padding)
        if padded:
            return end - start
        return torch.clamp(end, max=self.length) - torch.clamp(start, min=0)


def pair(sizes: Sizes) -> list[int]:
    """Return height and width of what was given as one number, two, or none."""
    listed = [sizes] if isinstance(sizes, int) else list(sizes)
    return listed * 2 if len(listed) == 1 else listed


def find_axes(
    x: Tensor,
    kernel_size: Sizes,
    stride: Sizes,
    padding: Sizes,
    ceil_mode: bool,
    dilation: Sizes = 1,
) -> tuple[Axis, Axis]:
    """Return how windows lie along both axes.

    Source: pooling_output_shape_pad_lr in torch's aten/src/ATen/native/Pool.h.
    """
    kernels = pair(kernel_size)
    settings = zip(
        x.shape[-2:],
        kernels,
        pair(stride) or kernels,
        pair(padding),
        pair(dilation),
        strict=True,
    )
    axes = []
    for length, kernel, step, pad, spread in settings:
        room = length + 2 * pad - spread * (kernel - 1) - 1
        if room < 0 or pad * 2 > kernel:
            raise UnsupportedError(f"pooling windows of {kernel} on a length of {length}")
        num = (room + (step - 1 if ceil_mode else 0)) // step + 1
        # A window that would begin beyond the input and the padding before it is left out.
        if ceil_mode and (num - 1) * step >= length + pad:
            num -= 1
        axes.append(
            Axis(
                length=length,
                num_windows=num,
                kernel=kernel,
                stride=step,
                padding=pad,
                dilation=spread,
            )
        )
    return axes[0], axes[1]


def find_both(axes: tuple[Axis, Axis], row: int, column: int) -> tuple[Place, Place] | None:
    """Return indices of the windows whose element (row, column) is in the input, and of these."""
    down, across = axes[0].find_windows(row), axes[1].find_windows(column)
    if down is None or across is None:
        return None
    return (..., down[0], across[0]), (..., down[1], across[1])


def visit_offsets(axes: tuple[Axis, Axis]) -> Iterator[tuple[Place, Place]]:
    """Yield `find_both` for each element of a window, row by row."""
    for row in range(axes[0].kernel):
        for column in range(axes[1].kernel):
            found = find_both(axes, row, column)
            if found is not None:
                yield found


def count_elements(
    axes: tuple[Axis, Axis], padded: bool, divisor_override: int | None, x: Tensor
) -> Tensor:
    """Return what each window's sum is divided by, in the dtype of ``x``."""
    if divisor_override is not None:
        return torch.tensor(divisor_override, dtype=x.dtype, device=x.device)
    down, across = (axis.count(padded=padded) for axis in axes)
    return (down[:, None] * across).to(x)
