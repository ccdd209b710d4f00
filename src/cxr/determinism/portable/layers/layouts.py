"""In which order pictures lie in memory; results take on their input's, for speed alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_PICTURES = 4


def is_channels_last(x: Tensor) -> bool:
    """Say whether the channels of each place lie side by side, and no other order fits as well."""
    return (
        x.ndim == _PICTURES
        and x.is_contiguous(memory_format=torch.channels_last)
        and not x.is_contiguous()
    )


def make_zeros(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Return zeros of a shape, with the dtype of ``x``, channels-last where it is."""
    last = is_channels_last(x)
    memory_format = torch.channels_last if last else torch.contiguous_format
    empty = torch.empty(tuple(shape), dtype=x.dtype, device=x.device, memory_format=memory_format)
    return empty.zero_()
