"""A run that what follows may build on: it came to its end, and agrees with its own records."""

from __future__ import annotations

from pathlib import Path

from cxr.compare.verify_run import verify_run
from cxr.records.manifest import Manifest, load_sealed_run


def load_sound_run(run: Path, *, refusal: str = "the run does not verify") -> Manifest:
    """Read the manifest of a run that completed and verifies.

    Args:
        run: The run directory.
        refusal: What an error says first of a run that does not verify.

    Raises:
        RecordError: It did not, or does not.
    """
    manifest = load_sealed_run(run, completed=True)
    verify_run(run).require_consistent(
        run, refusal=refusal, hint="restore it or train it again; cxr verify names every finding"
    )
    return manifest
