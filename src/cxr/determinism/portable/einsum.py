"""`einsum` of three tensors and more: from the left to the right, whatever is installed.

Where the package ``opt_einsum`` can be imported, torch asks it for an order, and another order
rounds elsewhere. Torch's switch for that is one of the whole process; this acts on a block alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def contract(equation: str, *operands: torch.Tensor | Sequence[torch.Tensor]) -> torch.Tensor:
    """Return `torch.einsum` without a path.

    Args:
        equation: As torch names it once subscripts that were lists are letters.
        operands: Tensors, or one sequence of them.
    """
    tensors: Any = operands
    while len(tensors) == 1 and not isinstance(tensors[0], torch.Tensor):
        (tensors,) = tensors
    product: torch.Tensor = torch._VF.einsum(equation, tensors)  # type: ignore[attr-defined]  # noqa: SLF001
    return product
