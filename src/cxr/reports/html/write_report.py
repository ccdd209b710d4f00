"""Writing a report where nothing is lost by it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cxr.atomic import storage_errors, write_output
from cxr.errors import UsageError
from cxr.records.free_place import require_outside_records
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
        RunDirectoryTakenError: The file would be part of a record.
        UsageError: It would replace what cxr did not write.
        StorageError: It cannot be written.
    """
    require_outside_records(path, what="report")
    if path.is_file() and not force:
        with storage_errors(path, option="--out"), path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
        if head and not begins_as_page(head) and not head.startswith(START.encode()):
            raise UsageError(
                "the file exists, and is no report of cxr",
                where=str(path),
                hint="name another file with --out, or write over it with --force",
            )
    write_output(path, text.encode("utf-8"))
