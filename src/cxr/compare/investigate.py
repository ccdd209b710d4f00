"""Looking for the reason why two runs part, by running them again: replay and bisection."""

from __future__ import annotations

from dataclasses import replace as replace_fields
from pathlib import Path

from cxr.compare.bisect import bisect_differences
from cxr.compare.replay import replay_divergence
from cxr.compare.replay_process import RecordedRun
from cxr.compare.report import DiffReport
from cxr.progress import Progress
from cxr.records.manifest import load_sealed_run


def investigate(
    a: Path,
    b: Path,
    report: DiffReport,
    *,
    roots: tuple[Path | None, Path | None] = (None, None),
    replay: bool,
    bisect: bool,
    progress: Progress,
) -> DiffReport:
    """Add to a comparison what running again shows; nothing where the ledgers are equal.

    Args:
        a: The first run's directory.
        b: The second's.
        report: Their comparison.
        roots: Where each run's data set is now; None where it was.
        replay: Whether the first op that differs is looked for.
        bisect: Whether differing inputs are exchanged in search of the cause.
        progress: Told what is being done.

    Raises:
        RecordError: A run cannot be run again here.
        Interrupted: A signal came.
    """
    parted = report.first_divergence
    if parted is None:
        return report
    runs = [
        RecordedRun(directory=run.resolve(), manifest=load_sealed_run(run), root=root)
        for run, root in zip((a, b), roots, strict=True)
    ]
    if replay:
        found = replay_divergence(runs[0], runs[1], parted, progress=progress)
        report = replace_fields(report, replay=found)
    if bisect:
        differences, tried = bisect_differences(
            runs[0],
            runs[1],
            parted,
            report.differences,
            unchanged=report.replay.a if report.replay is not None else None,
            progress=progress,
        )
        report = replace_fields(report, differences=differences, bisect=tried)
    return report
