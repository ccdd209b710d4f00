"""What a run is, how it ended, what it promises, and its figures in large type."""

from __future__ import annotations

from cxr.determinism.levels import PROMISES
from cxr.reports.html.blocks import Section, Statement
from cxr.reports.html.run_records import RunRecords


def describe_verdict(records: RunRecords) -> Section:
    """Return the first section."""
    return Section(
        name="verdict",
        title="Verdict",
        blocks=[Statement(tone="plain", text=f"{records.level}: {PROMISES[records.level]}")],
    )
