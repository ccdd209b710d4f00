"""Elementwise functions, block by block: rounded once to float32.

A block's intermediate results stay in the cores' caches, where a whole tensor's would go to memory
and back for each step. An element's result depends on that element alone, so blocks, threads and
memory layouts never change bits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch

from cxr.determinism.portable.errors import UnsupportedError

Kernel = Callable[..., torch.Tensor]
"""From float64 blocks, which it may overwrite, to a float64 block of the same shape.

Or from float32 blocks (``widen=False``), which are the inputs themselves: those it must leave."""

ELEMENTS_PER_THREAD: Final = 2**16
"""Half a MiB of float64. torch gives a thread at least half as many elements, and with so few it
spends as long on waking the others."""


def map_float32(kernel: Kernel, *inputs: torch.Tensor, widen: bool = True) -> torch.Tensor:
    """Apply a kernel to float32 tensors, element by element.

    Args:
        kernel: Gets a block of each input.
        inputs: float32, of shapes that broadcast.
        widen: Whether the blocks are float64 copies, or float32 and not to be changed.

    Returns:
        float32, with the memory layout of the first input where that has no gaps; NaN is
        0x7fc00000 throughout.

    Raises:
        UnsupportedError: An input is not float32 on the CPU.
    """
    return map_many(lambda *blocks: (kernel(*blocks),), *inputs, widen=widen)[0]


def map_many(
    kernel: Callable[..., tuple[torch.Tensor, ...]],
    *inputs: torch.Tensor,
    num_outputs: int = 1,
    widen: bool = True,
) -> tuple[torch.Tensor, ...]:
    """Apply a kernel with several results; see `map_float32`."""
    require_float32(*inputs)
    if len({tensor.shape for tensor in inputs}) > 1:
        inputs = torch.broadcast_tensors(*inputs)
    outputs = tuple(torch.empty_like(inputs[0]) for _ in range(num_outputs))
    sources = [_flatten(_lay_out_as(tensor, outputs[0])) for tensor in inputs]
    targets = [_flatten(output) for output in outputs]
    size = ELEMENTS_PER_THREAD * torch.get_num_threads()
    for start in range(0, outputs[0].numel(), size):
        block = slice(start, start + size)
        blocks = [source[block] for source in sources]
        found = kernel(*(part.double() for part in blocks) if widen else blocks)
        for target, values in zip(targets, found, strict=True):
            canonicalise_nan_(target[block].copy_(values))
    return outputs


def canonicalise_nan_(values: torch.Tensor) -> torch.Tensor:
    """Give every NaN the bits 0x7fc00000, in place: machines differ in its sign and payload."""
    # A sum is NaN wherever an element is; it costs a tenth of a comparison of each.
    if bool(values.sum().isnan()):
        values.masked_fill_(values.isnan(), torch.nan)
    return values


def require_float32(*tensors: torch.Tensor) -> None:
    """Refuse what is not float32 on the CPU.

    Raises:
        UnsupportedError: One of them is not.
    """
    for tensor in tensors:
        if tensor.dtype is not torch.float32 or tensor.device.type != "cpu":
            raise UnsupportedError(f"{tensor.dtype} on {tensor.device}: float32 on cpu is needed")


def _lay_out_as(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return the values in another's memory layout; a copy only where the layouts differ."""
    if tensor.stride() == like.stride():
        return tensor
    return torch.empty_like(like).copy_(tensor)


def _flatten(tensor: torch.Tensor) -> torch.Tensor:
    """Return a view on a tensor without gaps, in the order of its memory."""
    return tensor.as_strided((tensor.numel(),), (1,))
