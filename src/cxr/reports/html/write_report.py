"""Writing a report where nothing is lost by it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cxr.atomic import storage_errors, write_output
from cxr.errors import UsageError
from cxr.records.run_directory import (
    ENVIRONMENT,
    MANIFEST,
    REPEAT,
    REPRODUCTION,
)
from cxr.reports.html.markdown import START
from cxr.reports.html.page import begins_as_page

_HEAD_BYTES: Final = 4096


def write_report(path: Path, text: str, *, force: bool = False) -> None:
    """Write a report, whole or not at all.

    Args:
        path: The file. One that no report stands in is left as it is.
        text: The report.
        force: Write over it all the same.

    Raises:
        UsageError: The file would be part of a record, or replace what cxr did not write.
        StorageError: It cannot be written.
    """
    _require_outside_records(path)
    if path.is_file() and not force:
        with storage_errors(path), path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
        if head and not begins_as_page(head) and not head.startswith(START.encode()):
            raise UsageError(
                "the file exists, and is no report of cxr",
                where=str(path),
                hint="name another file with --out, or write over it with --force",
            )
    write_output(path, text.encode("utf-8"))


def _require_outside_records(path: Path) -> None:
    """Refuse a place inside a run, an evaluation, a repeat or a reproduction."""
    for above in path.resolve().parents:
        holds_run = (above / MANIFEST).is_file() and (above / ENVIRONMENT).is_file()
        if holds_run or any((above / name).is_file() for name in (REPEAT, REPRODUCTION)):
            raise UsageError(
                "the report would be written into a record, which never changes",
                where=f"{path}, below {above}",
                hint="name a file outside of it with --out",
            )
