"""``cxr evaluate``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, print_table, shorten, shown_progress
from cxr.cli.train import format_figure, show_figures
from cxr.errors import ExitCode

_COLUMNS: Final = 80
_GAP: Final = 3


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
    data: options.Data = None,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Evaluate a completed run again.

    The run itself does not change: the evaluation gets a directory of its own below it.

    Example: cxr evaluate runs/sample-20261121T120000Z-0123abcd --split val
    """
    from cxr.evaluation.run_evaluation import evaluate_run

    with shown_progress(quiet=quiet) as progress:
        found = evaluate_run(
            run, split=split.value if split else None, root=data, progress=progress
        )
    figures = found.manifest["metrics"]
    if json:
        print_json(
            {
                "run": str(run),
                "evaluation": str(found.directory),
                "split": found.manifest["split"],
                "predictions_digest": found.manifest["predictions_digest"],
                "same_as_run": found.same_as_run,
                "metrics": figures,
            }
        )
    else:
        print_line(f"evaluated: {found.directory}")
        show_figures(figures)
        show_classes(figures)
        if found.same_as_run is not None:
            same = "identical to" if found.same_as_run else "DIFFERENT from"
            print_line(f"predictions are {same} the run's own, bit for bit")
    if found.same_as_run is False:
        raise typer.Exit(ExitCode.DIFFERS)


def show_classes(figures: dict[str, Any]) -> None:
    """Print the table of classes and the confusion matrix.

    Where the names do not fit side by side, the first table numbers them for the second one.
    """
    classes = list(figures["per_class"])
    each = isinstance(figures["confusion"], dict)
    width = max(map(len, classes)) + sum(len(name) + _GAP for name in classes)
    numbered = width > _COLUMNS and not each
    numbers = [str(number) for number in range(1, len(classes) + 1)]
    columns = ("precision", "recall", "f1", "auroc")
    print_table(
        "per class",
        ["class", "images", *columns],
        [
            [
                shorten(f"{number} {name}" if numbered else name),
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
