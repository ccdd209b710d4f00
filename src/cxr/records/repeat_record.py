"""What a repeat's record says of its runs: which they are, and how many there were to be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.records.manifest import REPEAT_SCHEMA, is_sealed
from cxr.records.run_directory import MANIFEST, REPEAT


def find_first_run(directory: Path) -> Path | None:
    """Return the first run of a repeat; None where the directory is no repeat's.

    Raises:
        RecordError: The repeat was edited, or has no run.
    """
    if not (directory / REPEAT).exists() or (directory / MANIFEST).exists():
        return None
    answer = load_json_object(directory / REPEAT)
    runs, _ = read_runs(directory, answer)
    if not is_sealed(answer) or not runs:
        raise RecordError(
            "the repeat was edited" if runs else "the repeat has no run",
            where=str(directory / REPEAT),
            hint="restore it, or name one of the runs; cxr verify says more",
        )
    return next(iter(runs.values()))


def read_runs(directory: Path, answer: dict[str, Any]) -> tuple[dict[str, Path], int]:
    """Return the runs by name, and how many there were to be.

    Raises:
        RecordError: It is no repeat's answer, or names runs that lie elsewhere.
    """
    names, num_runs = answer.get("runs"), answer.get("n")
    runs = {str(name): directory / str(name) for name in names} if isinstance(names, list) else {}
    beside = all(name == Path(name).name and name not in ("", "..") for name in runs)
    if answer.get("schema") != REPEAT_SCHEMA or not isinstance(num_runs, int) or not beside:
        raise RecordError(
            "not a repeat that this version reads",
            where=str(directory / REPEAT),
            hint=f"it reads {REPEAT_SCHEMA}, whose runs stand beside the file",
        )
    return runs, num_runs
