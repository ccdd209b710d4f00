"""The words of a repeat, which a terminal and GitHub's pages share."""

from __future__ import annotations

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
