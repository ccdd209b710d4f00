"""The words of a repeat, which a terminal and GitHub's pages share."""

from __future__ import annotations

import signal

from cxr.errors import ExitCode
from cxr.repeat.pool import RunEnd
from cxr.repeat.report import AgainstReport
from cxr.reports.diff_text import describe_divergence


def describe_against(against: AgainstReport) -> str:
    """Return in one line whether all runs equal the one that was named, or where one left it."""
    if against.equal is None:
        return f"not known whether the runs equal {against.run}: some did not complete"
    if against.equal:
        return f"equal to {against.run}, bit for bit"
    parted = against.first_divergence
    where = describe_divergence(parted) if parted is not None else "where is not known"
    return f"NOT equal to {against.run}: {where}"


def describe_end(end: RunEnd) -> str:
    """Return in a few words how a run's process ended."""
    if end.code == ExitCode.OK:
        return "completed"
    if end.code == ExitCode.INTERRUPTED:
        return "interrupted"
    if end.code > 0:
        return f"failed, exit {end.code}"
    if end.code == -signal.SIGKILL:
        # Nobody is told why; where memory runs out it is the system that does so.
        return "killed (SIGKILL)"
    try:
        return f"killed ({signal.Signals(-end.code).name})"
    except ValueError:
        return f"killed (signal {-end.code})"


def describe_status(status: str) -> str:
    """Return how a run ended that did not complete, by the status in its manifest."""
    # A process that was killed had no time to write another.
    return "killed" if status == "running" else status
