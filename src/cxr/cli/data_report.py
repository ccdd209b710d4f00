"""Showing what looking at a data set found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from cxr.cli.console import print_line, print_note, print_table
from cxr.plain_text import list_first, show_plainly

if TYPE_CHECKING:
    from cxr.data.checks.kinds import DataProblem
    from cxr.data.checks.report import DataReport

_SPLITS: Final = ("train", "val", "test", "")
_MAX_CLASSES: Final = 20
_MAX_SHOWN: Final = 3
_MAX_PATHS: Final = 4


def print_report(report: DataReport) -> None:
    """Print notes, class counts, how often each kind of problem was found, the first of each."""
    for note in report.notes:
        print_note(show_plainly(note))
    _print_counts(report.counts)
    if report.problems:
        _print_kinds(report)
        _print_problems(report.problems)


def _print_counts(counts: dict[str, dict[str, int]]) -> None:
    """Print the images of each class in each split, of a set that has classes."""
    splits = [split for split in _SPLITS if split in counts]
    labels = sorted({label for of_split in counts.values() for label in of_split})
    if labels in ([], [""]):
        return
    rows = [
        [show_plainly(label) or "none", *(f"{counts[split].get(label, 0):,}" for split in splits)]
        for label in labels[:_MAX_CLASSES]
    ]
    print_table("images", ["class", *(split or "none" for split in splits)], rows)
    if len(labels) > _MAX_CLASSES:
        print_line(f"and {len(labels) - _MAX_CLASSES:,} more classes; --json has all of them")


def _print_kinds(report: DataReport) -> None:
    from cxr.data.checks.report import summarise_kinds

    rows = [
        [one.severity, f"{one.groups:,}", f"{one.files:,}", f"{one.kind}: {one.meaning}"]
        for one in summarise_kinds(report.problems)
    ]
    print_table("problems", ["severity", "groups", "files", "kind"], rows, num_whole=3)


def _print_problems(problems: Sequence[DataProblem]) -> None:
    """Print the first few problems of each kind, in the order they come in."""
    for kind in dict.fromkeys(problem.kind for problem in problems):
        of_kind = [problem for problem in problems if problem.kind == kind]
        rows = [[list_first(one.paths, _MAX_PATHS), one.detail] for one in of_kind[:_MAX_SHOWN]]
        print_table(f"{of_kind[0].severity} {kind}", ["files", "detail"], rows, num_whole=0)
        if len(of_kind) > len(rows):
            print_line(f"and {len(of_kind) - len(rows):,} more; --json has all of them")
