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

from cxr.determinism.portable.attention import attend
from cxr.determinism.portable.einsum import contract

_FIXED: Final[Mapping[Any, Callable[..., Any]]] = {
    functional.scaled_dot_product_attention: attend,
    torch.functional.einsum: contract,
}


class FixedFunctions(TorchFunctionMode):
    """A context in which attention and `einsum` are one composition of ops each."""

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call what was called, or what stands for it here."""
        del types
        return _FIXED.get(func, func)(*args, **(kwargs or {}))
