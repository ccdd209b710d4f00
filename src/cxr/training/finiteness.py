"""Numbers that are none, found before a digest sees them.

A NaN has bits that machines differ in: its sign and its payload. At the level ``portable``, where
one recipe has one trace, a step whose gradients or weights hold one stops the run instead. An
infinity has one form, but of it the next step makes a NaN.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch

from cxr.errors import TrainingError


def require_finite(tensors: Mapping[str, torch.Tensor], what: str, *, where: str) -> None:
    """Refuse tensors that hold infinities or NaN; one pass over memory.

    Args:
        tensors: Floats, by the parameter that they belong to.
        what: What they are (``gradient``).
        where: The step.

    Raises:
        TrainingError: Naming the first such tensor.
    """
    for name, tensor in tensors.items():
        if tensor.numel() and tensor.is_floating_point():
            low, high = torch.aminmax(tensor.detach())
            if not (math.isfinite(low.item()) and math.isfinite(high.item())):
                raise TrainingError(
                    f"the {what} of {name} has infinities or NaN",
                    where=where,
                    hint="lower train.lr, or add train.warmup_epochs",
                )
