"""``cxr diff``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cxr.cli import options
from cxr.cli.console import print_json, print_line, print_table, shorten
from cxr.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from cxr.compare.report import DiffReport

_SHOWN: Final = 20


def diff(
    run_a: Annotated[Path, typer.Argument(metavar="RUN_A", show_default=False)],
    run_b: Annotated[Path, typer.Argument(metavar="RUN_B", show_default=False)],
    tolerance: Annotated[
        list[str] | None,
        typer.Option(metavar="METRIC=ABS", help="Call runs this close equivalent."),
    ] = None,
    *,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Say where two runs parted, and in what.

    Only their records are read: nothing is computed again.

    Example: cxr diff runs/a runs/b --tolerance accuracy=0.01
    """
    from cxr.compare.diff import diff_runs

    report = diff_runs(run_a, run_b, parse_tolerances(tolerance or []))
    if json:
        print_json(report.to_json())
    elif quiet:
        print_line(report.verdict)
    else:
        show_diff(report)
    if report.verdict == "different":
        raise typer.Exit(ExitCode.DIFFERS)


def parse_tolerances(texts: list[str]) -> dict[str, float]:
    """Read ``metric=number`` texts.

    Raises:
        UsageError: One is of another form.
    """
    tolerances = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            tolerances[name] = float(value)
        except ValueError:
            tolerances[name] = -1.0
        if not 0 <= tolerances[name] < math.inf:
            raise UsageError(
                f"not a tolerance: {text!r}",
                where="--tolerance",
                hint="give METRIC=ABS, such as accuracy=0.01",
            )
    return tolerances


def show_diff(report: DiffReport) -> None:
    """Print a verdict line, the first divergence, the differences and the figures."""
    print_line(f"{report.verdict}{_describe_tolerance(report)}")
    parted = report.first_divergence
    if parted is not None:
        place = (
            "the initial state" if parted.step < 0 else f"epoch {parted.epoch}, step {parted.step}"
        )
        tensor = f" ({parted.tensor})" if parted.tensor else ""
        print_line(f"first divergence: {place}, {parted.what}{tensor}")
    if report.differences:
        print_line()
        print_table(
            "what went in differently",
            ["part", "field", "a", "b", "bits"],
            [
                [d.part, d.field, _show(d.a), _show(d.b), d.affects_bits]
                for d in report.differences[:_SHOWN]
            ],
        )
        if len(report.differences) > _SHOWN:
            print_line(f"and {len(report.differences) - _SHOWN} more; --json has all of them")
    elif report.verdict != "identical":
        print_line("nothing that went in differs: look for a kernel that does not repeat")
    if report.verdict != "identical" and report.metrics:
        _show_metrics(report)


def _show_metrics(report: DiffReport) -> None:
    """Print the figures side by side, and how far the predictions are apart."""
    rows = [
        [name, *(_number(pair[column]) for column in ("a", "b", "difference"))]
        for name, pair in report.metrics.items()
    ]
    print_table("figures", ["metric", "a", "b", "b - a"], rows)
    changed = report.predictions
    if changed is not None:
        print_line(
            f"{changed.changed_decisions} of {changed.images} decisions changed; "
            f"largest change of a probability {changed.largest_probability_change:.3g}"
        )


def _describe_tolerance(report: DiffReport) -> str:
    """Say what equivalence rests on."""
    if report.verdict != "equivalent":
        return ""
    asked = ", ".join(f"{name} within {value:g}" for name, value in report.tolerances.items())
    return f": the bits differ; {asked}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.6g}"


def _show(value: Any) -> str:
    return "-" if value is None else shorten(str(value))
