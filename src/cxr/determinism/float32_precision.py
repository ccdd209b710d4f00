"""How exactly float32 is computed: torch's switches by backend and op, newer than ``allow_tf32``.

Each is ``ieee`` for float32 as it is written, ``tf32`` or ``bf16`` for fewer digits, or ``none``
for whatever the switch above it says. Torch refuses to tell the older switches where the two kinds
contradict each other, so both are set, and an older one that is not told is named as such.

Source: torch's notes "CUDA semantics", on TensorFloat-32, and ``torch/backends/__init__.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

IEEE: Final = "ieee"
ABSENT: Final = "absent"
"""In place of a switch that this version of torch does not have."""
CONTRADICTED: Final = "contradicted"
"""In place of an older switch that torch does not tell because a newer one says otherwise."""

_PLACES: Final = {
    # From the widest to the narrowest: torch passes a wider one on where it sees fit.
    "torch.fp32_precision": (),
    "cudnn.fp32_precision": ("cudnn",),
    "mkldnn.fp32_precision": ("mkldnn",),
    "cuda.matmul.fp32_precision": ("cuda", "matmul"),
    "cudnn.conv.fp32_precision": ("cudnn", "conv"),
    "cudnn.rnn.fp32_precision": ("cudnn", "rnn"),
    "mkldnn.matmul.fp32_precision": ("mkldnn", "matmul"),
    "mkldnn.conv.fp32_precision": ("mkldnn", "conv"),
    "mkldnn.rnn.fp32_precision": ("mkldnn", "rnn"),
}

FLOAT32_SWITCHES: Final = tuple(_PLACES)
"""Names of the switches, below ``torch.backends``."""


def set_float32_precision() -> None:
    """Have every backend compute float32 as it is written, as far as this torch has switches."""
    for place in _PLACES.values():
        holder = _find_holder(place)
        if holder is not None:
            holder.fp32_precision = IEEE


def read_float32_precision() -> dict[str, str]:
    """Return each switch as torch reports it, ``absent`` where it has none."""
    holders = {name: _find_holder(place) for name, place in _PLACES.items()}
    return {
        name: ABSENT if holder is None else str(holder.fp32_precision)
        for name, holder in holders.items()
    }


def read_older_switch(read: Callable[[], Any]) -> Any:
    """Return an older switch, ``contradicted`` where torch refuses to tell it."""
    try:
        return read()
    except RuntimeError:
        return CONTRADICTED


def _find_holder(place: tuple[str, ...]) -> Any:
    """Return what holds a switch, or None where this torch has not got it."""
    import torch

    holder: Any = torch.backends
    for name in place:
        holder = getattr(holder, name, None)
    return holder if hasattr(holder, "fp32_precision") else None
