"""Where the attestation of a run lies: beside it, because a completed run never changes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cxr.errors import RunDirectoryTakenError
from cxr.records.run_directory import REPEAT, REPRODUCTION, require_outside_records

SUFFIX: Final = ".attestation.json"


def find_place(run: Path, suffix: str = SUFFIX) -> Path:
    """Return where the attestation of a run is looked for: ``RUN.attestation.json``.

    Of a run that is named through a link, or as ``.``, it lies beside the directory itself. Another
    suffix is that of something else that came after the run.
    """
    target = run.resolve()
    is_plain = run.name == target.name and run.parent.resolve() == target.parent
    return (run if is_plain else target).with_name(f"{target.name}{suffix}")


def require_beside_records(path: Path, *, what: str, option: str = "--out") -> None:
    """Refuse a path inside any record, those of a repeat and of a reproduction among them.

    Args:
        path: What would be written.
        what: What it would be, for an error.
        option: Which one names the path.

    Raises:
        RunDirectoryTakenError: It lies inside one.
    """
    require_outside_records(path, what=what, option=option)
    for above in path.resolve().parents:
        if (above / REPEAT).is_file() or (above / REPRODUCTION).is_file():
            raise RunDirectoryTakenError(
                f"the {what} would be written into another record",
                where=f"{path}, below {above}",
                hint=f"name a file outside of it with {option}",
            )
