"""Where in a model an op was refused: the module that was being computed."""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn


def name_place(where: str) -> str:
    """Return what is being computed, with the innermost module where there is one.

    Args:
        where: What is being computed (``step 12``).
    """
    module = _find_module(inspect.currentframe())
    return f"{where}, {module}" if module else where


def _find_module(frame: Any) -> str | None:
    """Return the class of the innermost module whose forward pass a frame is called from."""
    while frame is not None:
        computing = frame.f_locals.get("self")
        if isinstance(computing, nn.Module):
            return type(computing).__name__
        frame = frame.f_back
    return None
