"""Why a figure is not defined, in words: from the counts that stand beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_NEEDS_POSITIVES: Final = ("recall", "average_precision")
_NEEDS_NEGATIVES: Final = ("specificity",)
_NEEDS_BOTH: Final = ("auroc",)
_NO_IMAGE: Final = "there is no image"


def explain_undefined(figures: Mapping[str, Any]) -> dict[str, str]:
    """Return a reason for each figure that is None, by its dotted name.

    Args:
        figures: Of a split, as records hold them.
    """
    reasons: dict[str, str] = {}
    counts = {name: _count_sides(name, figures) for name in figures["per_class"]}
    for name, found in figures["per_class"].items():
        for figure, value in found.items():
            if value is None:
                reasons[f"per_class.{name}.{figure}"] = _explain_class(figure, *counts[name])
    absent = [name for name, (positives, _) in counts.items() if not positives]
    for figure, value in figures.items():
        if value is None:
            reasons[figure] = _explain_split(figure, figures, absent)
    return reasons


def _count_sides(name: str, figures: Mapping[str, Any]) -> tuple[int, int]:
    """Return how many images have a class or label, and how many are known to have it not."""
    positives = figures["per_class"][name]["support"]
    if isinstance(figures["confusion"], dict):
        return positives, sum(figures["confusion"][name][0])
    return positives, figures["num_images"] - positives


def _explain_class(figure: str, positives: int, negatives: int) -> str:
    if not positives and not negatives:
        return _NO_IMAGE if figure != "f1" else "no image has it, and none was decided to"
    if figure in (*_NEEDS_POSITIVES, *_NEEDS_BOTH) and not positives:
        return "no image has it"
    if figure in (*_NEEDS_NEGATIVES, *_NEEDS_BOTH) and not negatives:
        return "every image has it"
    if figure == "precision":
        return "it was never decided for"
    return "no image has it, and none was decided to"


def _explain_split(figure: str, figures: Mapping[str, Any], absent: list[str]) -> str:
    if not figures["num_images"]:
        return _NO_IMAGE
    if isinstance(figures["confusion"], dict):
        return "it is undefined for every label"
    if figure in (*_NEEDS_POSITIVES, *_NEEDS_BOTH) and absent:
        shown = ", ".join(absent[:3]) + (", …" if len(absent) > 3 else "")  # noqa: PLR2004
        return f"no image has the class {shown}"
    return "every image has one class"
