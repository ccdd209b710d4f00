"""What an evaluation found, as tables and lines for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cxr.plain_text import count
from cxr.records.figures import ALL_SCALARS, NO_VALUE

_MOST_REASONS: Final = 6
_SHOWN_SCALARS: Final = ("accuracy", "balanced_accuracy", "auroc", "brier_score")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextTable:
    """A table before it is drawn.

    Attributes:
        title: What stands above it.
        header: Names of its columns.
        rows: One list of cells a row.
    """

    title: str
    header: list[str]
    rows: list[list[str]]


def format_figure(value: float | None) -> str:
    """Return a figure to four decimals, or that it is undefined."""
    return "undefined" if value is None else f"{value:.4f}"


def format_range(interval: Mapping[str, Any] | None) -> str:
    """Return the ends of an interval; nothing where there is none."""
    if interval is None or interval["low"] is None:
        return ""
    return f"{interval['low']:.4f} to {interval['high']:.4f}"


def list_scalars(figures: Mapping[str, Any], intervals: Mapping[str, Any] | None) -> TextTable:
    """Return the figures of the whole split, each with its interval where there is one."""
    whole = intervals["whole"] if intervals else {}
    header = ["figure", "value"]
    if intervals:
        header.append(f"{intervals['level']:.0%} interval".replace("%", " %"))
    rows = []
    for name in ALL_SCALARS:
        if name in figures:
            cells = [name, format_figure(figures[name]), format_range(whole.get(name))]
            rows.append(cells[: len(header)])
    title = f"{figures['split']}, {count(figures['num_images'], 'image')}"
    return TextTable(title=title, header=header, rows=rows)


def describe_intervals(intervals: Mapping[str, Any] | None) -> list[str]:
    """Return in one line how intervals were found, and in another which of them are missing."""
    if not intervals:
        return []
    patients, resamples = count(intervals["num_groups"], "patient"), intervals["replicates"]
    lines = [f"intervals: {resamples:,} resamples of {patients}, seed {intervals['seed']}"]
    return [*lines, *describe_missing(intervals["whole"])]


def describe_missing(figures: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return a line for each reason why figures have no interval."""
    missing: dict[str, list[str]] = {}
    for name, found in figures.items():
        if found["reason"] is not None:
            missing.setdefault(found["reason"], []).append(name)
    return [f"no interval of {', '.join(names)}: {why}" for why, names in missing.items()]


def list_ranks(figures: Mapping[str, Any], intervals: Mapping[str, Any] | None) -> TextTable:
    """Return what ranks and probabilities of each class are worth."""
    found = intervals["per_class"] if intervals else {}
    header = ["class", "auroc", "interval", "avg. prec.", "brier", "ece"]
    rows = []
    for name, one in figures["per_class"].items():
        rows.append(
            [
                name,
                format_figure(one["auroc"]),
                format_range(found.get(name, {}).get("auroc")),
                *(
                    format_figure(one[figure])
                    for figure in ("average_precision", "brier_score", "expected_calibration_error")
                ),
            ]
        )
    if not found:
        header.pop(2)
        rows = [[*row[:2], *row[3:]] for row in rows]
    return TextTable(title="ranks and probabilities per class", header=header, rows=rows)


def list_thresholds(figures: Mapping[str, Any]) -> TextTable | str:
    """Return the thresholds chosen on validation and what they do here, or why there are none."""
    thresholds = figures["thresholds"]
    if thresholds["chosen_on"] is None:
        return f"no thresholds: {thresholds['reason']}"
    here = "" if figures["split"] != "val" else ", on these very images"
    header = ["class", "from", "sensitivity", "specificity", "validation"]
    rows = [
        [
            name,
            f"{one['probability']:.4f}",
            format_figure(one["sensitivity"]),
            format_figure(one["specificity"]),
            f"{one['validation']['sensitivity']:.4f} {one['validation']['specificity']:.4f}",
        ]
        if one is not None
        else [name, "undefined", "", "", "has one side only"]
        for name, one in thresholds["per_class"].items()
    ]
    title = f"thresholds of the largest Youden index on validation{here}"
    return TextTable(title=title, header=header, rows=rows)


def list_reliability(figures: Mapping[str, Any]) -> TextTable:
    """Return the bins of the reliability curve that hold something."""
    bins = figures["reliability"]
    rows = [
        [
            f"{one['low']:.3f} to {one['high']:.3f}",
            str(one["count"]),
            f"{one['mean_confidence']:.4f}",
            f"{one['accuracy']:.4f}",
        ]
        for one in bins
        if one["count"]
    ]
    title = f"reliability: {len(bins) - len(rows)} of {len(bins)} bins are empty"
    return TextTable(title=title, header=["probability", "number", "mean", "came true"], rows=rows)


def list_subgroups(figures: Mapping[str, Any]) -> list[TextTable | str]:
    """Return a table for each subgroup, and a line on values that it does not show."""
    shown: list[TextTable | str] = []
    for name, found in figures.get("subgroups", {}).items():
        if found["rows"]:
            shown.append(_list_subgroup(name, found))
        if found["hidden_values"]:
            shown.append(f"by {name}: {_describe_hidden(found)}")
    return shown


def _list_subgroup(name: str, found: Mapping[str, Any]) -> TextTable:
    rows = [
        [
            NO_VALUE if row["value"] is None else row["value"],
            str(row["patients"]),
            str(row["num_images"]),
            *(format_figure(row[figure]) for figure in _SHOWN_SCALARS),
        ]
        for row in found["rows"]
    ]
    header = [name, "patients", "images", "accuracy", "balanced", "auroc", "brier"]
    return TextTable(title=f"by {name}", header=header, rows=rows)


def _describe_hidden(found: Mapping[str, Any]) -> str:
    num, least = count(found["hidden_values"], "value"), found["min_patients"]
    return f"{num} not shown: small (below {least} patients), or told by subtraction"


def list_reasons(figures: Mapping[str, Any]) -> list[str]:
    """Return why figures are undefined, one reason a line."""
    reasons: dict[str, list[str]] = {}
    for name, reason in figures.get("undefined", {}).items():
        owner, _, figure = name.rpartition(".")
        where = owner.removeprefix("per_class.")
        said = f"{where}: {reason}" if where else reason
        reasons.setdefault(said, []).append(figure)
    lines = [f"undefined: {', '.join(names)}: {said}" for said, names in reasons.items()]
    if len(lines) > _MOST_REASONS:
        more = len(lines) - _MOST_REASONS
        return [*lines[:_MOST_REASONS], f"and {more} more; --json has all of them"]
    return lines


def list_held(held: Sequence[Mapping[str, Any]]) -> TextTable:
    """Return figures beside what they should be, those that are not within first."""
    rows = [
        [
            one["name"],
            format_figure(one["expected"]),
            format_figure(one["found"]),
            f"{one['tolerance']:g}",
            "yes" if one["is_within"] else "NO",
        ]
        for one in sorted(held, key=lambda one: one["is_within"])
    ]
    return TextTable(
        title="against the reference",
        header=["figure", "expected", "found", "tolerance", "within"],
        rows=rows,
    )
