"""``cxr evaluate``."""

from __future__ import annotations

import textwrap
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, print_table, shorten, shown_progress
from cxr.cli.diff import parse_tolerances
from cxr.errors import ExitCode, UsageError
from cxr.statistics.intervals import REPLICATES

if TYPE_CHECKING:
    from cxr.evaluation.run_evaluation import Evaluation
    from cxr.reports.evaluation_text import TextTable

_COLUMNS: Final = 80
_GAP: Final = 3
_NAME: Final = 18


class SplitName(StrEnum):
    """Splits that can be evaluated."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


def evaluate(
    run: options.Run,
    split: Annotated[
        SplitName | None, typer.Option(help="The split; by default the run's own.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Figures to hold these against: a golden, or a table."),
    ] = None,
    tolerance: Annotated[
        list[str] | None,
        typer.Option(metavar="METRIC=ABS", help="With --against: call figures this close equal."),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, max=65_536, help="Images a forward pass.")
    ] = None,
    replicates: Annotated[
        int, typer.Option(min=0, max=1_000_000, help="Resamples for intervals; 0: none.")
    ] = REPLICATES,
    data: options.Data = None,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Evaluate a completed run again.

    The run itself does not change: the evaluation gets a directory of its own below it.

    Example: cxr evaluate runs/sample-20261121T120000Z-0123abcd --split val
    """
    if tolerance and against is None:
        raise UsageError(
            "--tolerance goes with --against",
            where="cxr evaluate",
            hint="name a golden or a table with --against FILE",
        )
    asked = parse_tolerances(tolerance or [])
    reference = None
    if against is not None:
        from cxr.evaluation.reference import load_reference
        from cxr.records.manifest import load_sealed_run

        # Before the work: a file that cannot be used would be found at its end.
        name = load_sealed_run(run, completed=True)["name"]
        reference = load_reference(against, name, asked)
    from cxr.evaluation.run_evaluation import evaluate_run

    with shown_progress(quiet=quiet) as progress:
        found = evaluate_run(
            run,
            split=split.value if split else None,
            batch_size=batch_size,
            replicates=replicates,
            root=data,
            progress=progress,
        )
    held = None
    if reference is not None:
        from cxr.evaluation.reference import hold_against

        held = [asdict(one) for one in hold_against(found.manifest["metrics"], reference)]
    if json:
        print_json(_describe(run, found, held))
    else:
        show_evaluation(found)
        if held is not None:
            show_held(held)
    broken = found.same_as_run is False and found.is_promised
    if broken or (held is not None and not all(one["is_within"] for one in held)):
        raise typer.Exit(ExitCode.DIFFERS)


def _describe(run: Path, found: Evaluation, held: list[dict[str, Any]] | None) -> dict[str, Any]:
    """Return the JSON answer; what it was held against only where that was asked for."""
    manifest = found.manifest
    return {
        "run": str(run),
        "evaluation": str(found.directory),
        "split": manifest["split"],
        "predictions_digest": manifest["predictions_digest"],
        "same_as_run": found.same_as_run,
        "batch_size": manifest["batch_size"],
        "looks": found.num_looks,
        "metrics": manifest["metrics"],
        "intervals": manifest["intervals"],
        **({"against": held} if held is not None else {}),
    }


def show_evaluation(found: Evaluation) -> None:
    """Print everything that an evaluation found, the most important first."""
    from cxr.reports import evaluation_text as text

    figures, intervals = found.manifest["metrics"], found.manifest["intervals"]
    print_line(f"evaluated: {found.directory}")
    scalars = text.list_scalars(figures, intervals)
    print_table(scalars.title, scalars.header, scalars.rows)
    for line in (*text.describe_intervals(intervals), *text.list_reasons(figures)):
        _say(line)
    print_line()
    show_classes(figures)
    print_line()
    _show(text.list_ranks(figures, intervals))
    print_line()
    thresholds = text.list_thresholds(figures)
    if isinstance(thresholds, str):
        print_line(thresholds)
    else:
        _show(thresholds)
    print_line()
    _show(text.list_reliability(figures))
    for shown in text.list_subgroups(figures):
        print_line()
        if isinstance(shown, str):
            _say(shown)
        else:
            _show(shown)
    print_line()
    for line in _describe_bits(found):
        _say(line)


def _describe_bits(found: Evaluation) -> list[str]:
    """Return whether the run's own bits came again, and how often the split was looked at."""
    lines = []
    batch, split = found.manifest["batch_size"], found.manifest["split"]
    if found.same_as_run is not None:
        same = "identical to" if found.same_as_run else "DIFFERENT from"
        lines.append(f"predictions are {same} the run's own, bit for bit")
    if not found.is_promised:
        lines.append(
            f"batches of {batch['used']}, not of {batch['of_run']} as the run's:"
            f" {found.manifest['determinism']} does not promise equal bits then"
        )
    number = found.num_looks
    lines.append(f"look {number} at the {split} split of this run")
    return lines


def _say(text: str) -> None:
    """Print a sentence, in more than one line where it is long."""
    for line in textwrap.wrap(text, _COLUMNS, subsequent_indent="  "):
        print_line(line)


def show_held(held: list[dict[str, Any]]) -> None:
    """Print figures beside what they should be."""
    from cxr.reports.evaluation_text import list_held

    outside = sum(not one["is_within"] for one in held)
    print_line()
    table = list_held(held)
    # A name that was cut would be that of several figures.
    print_table(table.title, table.header, table.rows, num_whole=0)
    print_line(
        f"{outside} of {len(held)} figures are outside their tolerance"
        if outside
        else "every figure is within its tolerance"
    )


def _show(table: TextTable) -> None:
    """Print a table; the name of a class is kept short."""
    rows = [[shorten(row[0], _NAME), *row[1:]] for row in table.rows]
    print_table(table.title, table.header, rows)


def show_classes(figures: dict[str, Any]) -> None:
    """Print the table of classes and the confusion matrix.

    Where the names do not fit side by side, the first table numbers them for the second one.
    """
    from cxr.reports.evaluation_text import format_figure

    classes = list(figures["per_class"])
    each = isinstance(figures["confusion"], dict)
    width = max(map(len, classes)) + sum(len(name) + _GAP for name in classes)
    numbered = width > _COLUMNS and not each
    numbers = [str(number) for number in range(1, len(classes) + 1)]
    columns = ("precision", "recall", "specificity", "f1")
    print_table(
        "decisions per class",
        ["class", "images", *columns],
        [
            [
                shorten(f"{number} {name}" if numbered else name, _NAME),
                str(found["support"]),
                *(format_figure(found[column]) for column in columns),
            ]
            for number, (name, found) in zip(numbers, figures["per_class"].items(), strict=True)
        ],
    )
    names = numbers if numbered else classes
    if each:
        print_table(
            "decisions: images that have the label, and images that have it not",
            ["class", "found", "missed", "false alarm", "rightly not"],
            [
                [shorten(name), *map(str, (found, missed, alarms, without))]
                for name, ((without, alarms), (missed, found)) in figures["confusion"].items()
            ],
        )
        return
    print_table(
        "confusion: rows are true, columns are decided",
        ["", *names],
        [[name, *map(str, row)] for name, row in zip(names, figures["confusion"], strict=True)],
        close=numbered,
    )
