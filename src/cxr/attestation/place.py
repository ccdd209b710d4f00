"""Where the attestation of a run lies: beside it, because a completed run never changes."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SUFFIX: Final = ".attestation.json"


def find_place(run: Path, suffix: str = SUFFIX) -> Path:
    """Return where the attestation of a run is looked for: ``RUN.attestation.json``.

    Of a run that is named through a link, or as ``.``, it lies beside the directory itself. Another
    suffix is that of something else that came after the run.
    """
    target = run.resolve()
    is_plain = run.name == target.name and run.parent.resolve() == target.parent
    return (run if is_plain else target).with_name(f"{target.name}{suffix}")
