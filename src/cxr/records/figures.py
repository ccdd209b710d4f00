"""Names of the figures that records hold."""

from __future__ import annotations

from typing import Final

SCALARS: Final = ("accuracy", "balanced_accuracy", "macro_f1", "auroc", "loss")
"""Figures of a whole split that are single numbers, and that every record has."""

LATER_SCALARS: Final = ("average_precision", "brier_score", "expected_calibration_error")
"""Further ones, which records of version 0.1.0 have not."""

ALL_SCALARS: Final = (*SCALARS[:4], LATER_SCALARS[0], SCALARS[4], *LATER_SCALARS[1:])
"""All of them, in the order in which they are shown."""

CLASS_FIGURES: Final = (
    "precision",
    "recall",
    "specificity",
    "f1",
    "auroc",
    "average_precision",
    "brier_score",
    "expected_calibration_error",
)
"""Figures of one class against all others, or of one label, that are shares or means."""
