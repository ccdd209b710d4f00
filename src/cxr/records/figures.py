"""Names of the figures that records hold."""

from __future__ import annotations

from typing import Final

SCALARS: Final = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "loss")
"""Figures of a whole split that are single numbers."""
