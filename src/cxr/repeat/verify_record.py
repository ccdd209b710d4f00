"""Checking whatever record a directory holds."""

from __future__ import annotations

from pathlib import Path

from cxr.compare.verify_findings import Verification
from cxr.compare.verify_reproduction import verify_reproduction
from cxr.compare.verify_run import verify_run
from cxr.records.exported import is_export
from cxr.records.run_directory import MANIFEST, REPEAT, REPRODUCTION
from cxr.release.verify_export import verify_export
from cxr.repeat.verify import verify_repeat


def verify_record(directory: Path) -> Verification:
    """Check a run, an evaluation, an export, a repeat with all of its runs, or a reproduction.

    Without a signature this shows that the records are consistent, not who wrote them.

    Raises:
        RecordError: It is no record's directory, or its run never ended.
    """
    if is_export(directory):
        return verify_export(directory)
    if not (directory / MANIFEST).exists():
        if (directory / REPEAT).exists():
            return verify_repeat(directory)
        if (directory / REPRODUCTION).exists():
            return verify_reproduction(directory)
    return verify_run(directory)
