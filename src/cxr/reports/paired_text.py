"""What a paired comparison of two runs found, as a table and lines for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cxr.plain_text import count
from cxr.reports.evaluation_text import TextTable, format_figure, format_range

_SMALLEST_P = 1e-4


def list_differences(paired: Mapping[str, Any]) -> TextTable:
    """Return the difference of each figure with its interval."""
    rows = [
        [
            name,
            format_figure(one["a"]),
            format_figure(one["b"]),
            "undefined" if one["difference"] is None else f"{one['difference']:+.4f}",
            _format_signed(one),
        ]
        for name, one in paired["figures"].items()
    ]
    header = ["figure", "a", "b", "b - a", f"{paired['level']:.0%} interval".replace("%", " %")]
    images, patients = count(paired["num_images"], "image"), count(paired["num_groups"], "patient")
    title = f"paired, {images} of {patients}"
    return TextTable(title=title, header=header, rows=rows)


def describe_tests(paired: Mapping[str, Any]) -> list[str]:
    """Return the tests of decisions and, where patients have one image each, of AUROCs."""
    decisions = paired["decisions"]
    alone = f"{decisions['only_first']} right in a alone, {decisions['only_second']} in b alone"
    lines = [f"decisions: {alone}; p {_format_p(decisions['p_value'])} ({decisions['method']})"]
    if paired["auroc"] is None:
        lines.append(f"no DeLong test: {paired['reason']}")
        return lines
    for name, test in paired["auroc"].items():
        if test["p_value"] is None:
            reason = test["difference"]["reason"] or "a side has no image"
            lines.append(f"auroc of {name}: no test: {reason}")
        else:
            lines.append(
                f"auroc of {name}: {test['difference']['estimate']:+.4f},"
                f" {format_range(test['difference'])}; z {test['z']:.3f},"
                f" p {_format_p(test['p_value'])} (DeLong)"
            )
    return lines


def _format_p(value: float) -> str:
    return f"{value:.4f}" if value >= _SMALLEST_P else f"below {_SMALLEST_P:g}"


def _format_signed(interval: Mapping[str, Any]) -> str:
    if interval["low"] is None:
        return ""
    return f"{interval['low']:+.4f} to {interval['high']:+.4f}"
