"""The words of a comparison, which a terminal and a Markdown page share."""

from __future__ import annotations

from typing import Final

from cxr.compare.report import (
    BisectReport,
    CommandDiffReport,
    DiffReport,
    Divergence,
    LoopDiffReport,
    OutputDifference,
    ReplayedOp,
    ReplayReport,
)
from cxr.plain_text import list_first, show_plainly
from cxr.records.op_record import describe_op
from cxr.reports.shown_figures import choose_figures, describe_left_out
from cxr.reports.values import describe_values

_SHOWN_OUTPUTS: Final = 20


def describe_verdict(report: DiffReport) -> str:
    """Return the verdict, and what an equivalence rests on."""
    if report.verdict != "equivalent":
        return report.verdict
    asked = ", ".join(f"{name} within {value:g}" for name, value in report.tolerances.items())
    return f"equivalent: the bits differ; {asked}"


def describe_findings(report: DiffReport) -> list[str]:
    """Return which tolerance does not hold, where the runs parted, and what a replay showed."""
    lines = describe_broken_tolerances(report)
    if report.first_divergence is not None:
        lines.append(describe_divergence(report.first_divergence))
    if isinstance(report, LoopDiffReport) and report.note is not None:
        lines.append(report.note)
    if isinstance(report, CommandDiffReport):
        lines += describe_outputs(report)
    if report.replay is not None:
        lines += describe_replay(report.replay)
    if report.bisect is not None:
        lines += describe_bisection(report.bisect)
    return lines


def describe_broken_tolerances(report: DiffReport) -> list[str]:
    """Return a line for each tolerance that was asked for and does not hold."""
    if report.verdict != "different":
        return []
    lines = []
    for metric, tolerance in report.tolerances.items():
        pair, name = report.metrics[metric], show_plainly(metric)
        gap = pair["difference"]
        if gap is None:
            lacking = [run for run in ("a", "b") if pair[run] is None]
            lines.append(
                f"no tolerance holds: {name} is undefined in run {' and run '.join(lacking)}"
            )
        elif abs(gap) > tolerance:
            lines.append(f"beyond its tolerance: {name} by {abs(gap):.6g}, {tolerance:g} allowed")
    return lines


def describe_outputs(report: CommandDiffReport) -> list[str]:
    """Return how two commands ended, and which of their outputs differ, a line each."""
    ends = report.exit_status
    lines = [] if ends["a"] == ends["b"] else [f"exit status: {ends['a']} and {ends['b']}"]
    shown = [show_plainly(f"output {_name_change(one)}") for one in report.outputs]
    return lines + list_first(shown, _SHOWN_OUTPUTS)


def _name_change(one: OutputDifference) -> str:
    if one.a is None or one.b is None:
        return f"left by {'b' if one.a is None else 'a'} alone: {one.path}"
    return f"differs: {one.path}"


def describe_no_difference(report: DiffReport) -> str:
    """Return what to look for where two records differ and what went in does not."""
    if isinstance(report, CommandDiffReport):
        return "nothing that was recorded went in differently: look for undeclared files, or chance"
    return "nothing that went in differs: look for a kernel that does not repeat"


def describe_divergence(parted: Divergence) -> str:
    """Return where two runs parted, and in what."""
    step = _name_step(parted.step)
    place = step if parted.step < 0 else f"epoch {parted.epoch}, {step}"
    tensor = f" ({parted.tensor})" if parted.tensor else ""
    return f"first divergence: {place}, {parted.what}{tensor}"


def describe_replay(replay: ReplayReport) -> list[str]:
    """Return what running the step again showed, in one line or a few."""
    if replay.op is None:
        return [f"replay: {replay.note}"]
    op = replay.op
    lines = [
        f"replay: both runs repeat here up to {_name_step(replay.step)}",
        f"first op that differs: {describe_op(op.op, op.module, backward=op.backward)}",
    ]
    if op.other_op is not None:
        lines.append(f"in its place the other run has: {op.other_op}")
    elif op.size and op.size["differing"] is not None:
        lines.append(f"by how much: {_describe_size(op)}")
    return lines


def _name_step(step: int) -> str:
    return "the initial state" if step < 0 else f"step {step}"


def _describe_size(op: ReplayedOp) -> str:
    size = op.size
    shape = "x".join(map(str, size["shape"])) or "a single number"
    largest = size["largest_difference"]
    by = f"by at most {largest:.3g}" if largest is not None else "not all of them numbers"
    count = f"{size['differing']:,} of {size['elements']:,} elements"
    what = op.tensor if op.tensor is not None else f"output {op.output}"
    return f"{what} ({shape}), {count}, {by}"


def describe_bisection(bisect: BisectReport) -> list[str]:
    """Return which inputs are the cause, and what could not be tried."""
    if bisect.note is not None:
        lines = [f"cause: not found; {bisect.note}"]
    elif bisect.causes:
        lines = [f"cause: {' with '.join(bisect.causes)} ({_count_tries(bisect)})"]
    elif bisect.tried:
        lines = [f"cause: none of what was exchanged ({_count_tries(bisect)})"]
    else:
        lines = ["cause: nothing that can be exchanged differs"]
    if bisect.not_exchanged:
        lines.append(f"not exchanged: {', '.join(bisect.not_exchanged)}")
    return lines


def _count_tries(bisect: BisectReport) -> str:
    return "1 try" if bisect.tried == 1 else f"{bisect.tried} tries"


def list_difference_rows(report: DiffReport) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the table of differences."""
    header = ["part", "field", "a", "b", "bits"]
    rows = [
        [d.part, d.field, *describe_values(d.a, d.b), d.affects_bits] for d in report.differences
    ]
    if report.bisect is not None:
        header.append("cause")
        words = {True: "yes", False: "no", None: "-"}
        for row, difference in zip(rows, report.differences, strict=True):
            row.append(words[difference.cause])
    return header, rows


def list_figure_rows(
    report: DiffReport, *, every: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of the table of figures, of the main ones or of all.

    A figure that was given a tolerance is among the main ones. Of another framework's figures none
    is known to be a lesser one: they are all there.
    """
    every = _shows_every(report, every=every)
    shown = {*choose_figures(report.metrics, every=every), *report.tolerances}
    rows = [
        [name, *(_number(pair[column]) for column in ("a", "b", "difference"))]
        for name, pair in report.metrics.items()
        if name in shown
    ]
    return ["metric", "a", "b", "b - a"], rows


def describe_other_figures(report: DiffReport, *, every: bool = False) -> str | None:
    """Return how many figures the table leaves out; None where it has all."""
    others = [name for name in report.metrics if name not in report.tolerances]
    return describe_left_out(others, every=_shows_every(report, every=every))


def _shows_every(report: DiffReport, *, every: bool) -> bool:
    return every or isinstance(report, LoopDiffReport)


def describe_predictions(report: DiffReport) -> str | None:
    """Return how far the predictions of the same images are apart, or None."""
    changed = report.predictions
    if changed is None:
        return None
    if not changed.images:
        return "no image was predicted by both"
    return (
        f"{changed.changed_decisions} of {changed.images} decisions changed; "
        f"largest change of a probability {changed.largest_probability_change:.3g}"
    )


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.6g}"
