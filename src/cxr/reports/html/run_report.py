"""The report of one run: which sections it has, and in which order."""

from __future__ import annotations

from cxr.reports.html.blocks import Report
from cxr.reports.html.run_records import RunRecords
from cxr.reports.html.verdict import describe_verdict


def build_run_report(records: RunRecords) -> Report:
    """Return the report of one run.

    Args:
        records: Everything that its records tell.
    """
    digest = str(records.manifest["manifest_digest"]).removeprefix("sha256:")
    return Report(
        title=f"Run {records.name}",
        subtitle=f"One training of a chest X-ray classifier; manifest {digest[:16]}",
        sections=[describe_verdict(records)],
    )
