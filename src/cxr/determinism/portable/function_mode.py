"""The context for functions of torch that choose a kernel or an order themselves, before any op.

What they choose depends on the processor, on shapes or on what is installed. Ops come later, and to
`PortableArithmetic`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from cxr.determinism.portable.attention import attend, attend_by_heads
from cxr.determinism.portable.einsum import contract
from cxr.determinism.portable.errors import CHOOSE_ANOTHER, UnsupportedError
from cxr.determinism.portable.matrix_product import multiply, multiply_from_right, project
from cxr.determinism.portable.place import name_place
from cxr.errors import DeterminismError

_FIXED: Final[Mapping[Any, Callable[..., Any]]] = {
    functional.scaled_dot_product_attention: attend,
    functional.multi_head_attention_forward: attend_by_heads,
    torch.functional.einsum: contract,
    torch.matmul: multiply,
    torch.linalg.matmul: multiply,
    torch.Tensor.matmul: multiply,
    torch.Tensor.__rmatmul__: multiply_from_right,
    functional.linear: project,
}


class FixedFunctions(TorchFunctionMode):
    """A context in which attention, `einsum` and `matmul` are one composition of ops each.

    Args:
        where: What is being computed, for an error.
    """

    def __init__(self, *, where: str) -> None:
        super().__init__()
        self._where = where

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call what was called, or what stands for it here.

        Raises:
            DeterminismError: It has no portable form for these arguments.
        """
        del types
        try:
            return _FIXED.get(func, func)(*args, **(kwargs or {}))
        except UnsupportedError as error:
            raise DeterminismError(
                f"{error} has no portable form",
                where=name_place(self._where),
                hint=CHOOSE_ANOTHER,
            ) from error
