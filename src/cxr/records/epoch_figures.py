"""``metrics.jsonl``: one JSON object an epoch, in the order in which they were trained."""

from __future__ import annotations

import json
from pathlib import Path

from cxr.bounded_file import read_regular
from cxr.errors import RecordError
from cxr.records.run_directory import METRICS


def read_epoch_lines(directory: Path) -> list[tuple[int, bytes]]:
    """Return each whole line of a run's ``metrics.jsonl`` and the epoch that it is of.

    A last line that a kill cut short is none; a file that is missing has no lines.

    Raises:
        RecordError: A line is no epoch's figures.
    """
    path = directory / METRICS
    try:
        content = read_regular(path) if path.exists() else b""
        lines = [raw for raw in content.splitlines(keepends=True) if raw.endswith(b"\n")]
        epochs = [json.loads(raw)["epoch"] for raw in lines]
        if not all(type(epoch) is int for epoch in epochs):
            raise TypeError("epochs are whole numbers")
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        raise RecordError(
            "a line of the epochs' figures is damaged",
            where=str(path),
            hint="restore the file, or train again",
        ) from error
    return list(zip(epochs, lines, strict=True))
