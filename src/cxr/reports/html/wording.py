"""How a report says figures, counts and values: in the same words everywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from cxr.reports.evaluation_text import format_figure

FIGURE_TITLES: Final = {
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "auroc": "AUROC",
    "average_precision": "Average precision",
    "loss": "Loss (nats)",
    "brier_score": "Brier score",
    "expected_calibration_error": "Expected calibration error",
    "precision": "Precision",
    "recall": "Sensitivity",
    "specificity": "Specificity",
    "f1": "F1",
}
"""Names of figures for readers, by those of records."""

NO_INTERVAL: Final = "none"
"""What stands where a figure has no interval."""

_LONGEST: Final = 300


def show_value(value: Any) -> str:
    """Return a value of a record for a cell, in the words of a config; long ones cut."""
    if value is None:
        text = "null"
    elif isinstance(value, str):
        text = value
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        text = ", ".join(value) or "none"
    else:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def show_interval(interval: Mapping[str, Any] | None, *, digits: int = 4) -> str:
    """Return the ends of an interval, or `NO_INTERVAL`."""
    if interval is None or interval["low"] is None:
        return NO_INTERVAL
    return f"{interval['low']:.{digits}f} to {interval['high']:.{digits}f}"


def show_figure(value: float | None) -> str:
    """Return a figure to four decimals, or that it is undefined."""
    return format_figure(value)


def show_duration(seconds: float) -> str:
    """Return a time in hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"


def show_run_time(duration_s: float, still_s: float | None) -> str:
    """Return how long a run took, without the time that it lay still where that is known.

    Args:
        duration_s: From start to end.
        still_s: Of that, between stops and going on; None: it was stopped, and when is not known.
    """
    if still_s is None:
        return f"{show_duration(duration_s)} from start to end, with the time that it lay still"
    if not still_s:
        return show_duration(duration_s)
    worked = show_duration(max(duration_s - still_s, 0.0))
    return f"{worked}, without the {show_duration(still_s)} that it lay still"
