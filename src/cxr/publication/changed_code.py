"""A run of code that was changed since its commit: published only with words on that."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from cxr.compare.verify_findings import take
from cxr.environment.private_text import find_private_line
from cxr.errors import UsageError
from cxr.json_file import load_json_object
from cxr.plain_text import is_plain_text
from cxr.records.manifest import Manifest
from cxr.records.run_directory import ENVIRONMENT

_MAX_WORDS: Final = 500


def require_told_changes(
    run: Path, manifest: Manifest, words: str | None, *, has_export: bool
) -> None:
    """Refuse a run of changed code, unless the card can say what was changed.

    Args:
        run: The run directory.
        manifest: Its manifest.
        words: What the user says was changed, if anything.
        has_export: Whether the card is written already.

    Raises:
        UsageError: Nobody says it, or not in words that everybody may read.
    """
    if words is not None:
        if not words.strip() or len(words) > _MAX_WORDS or not is_plain_text(words):
            raise UsageError(
                f"that is no sentence of 1 to {_MAX_WORDS} letters",
                where="--changed-code",
                hint="say in a line what was changed, and why",
            )
        if (private := find_private_line(words)) is not None:
            raise UsageError(
                f"everybody would read it: {private}",
                where="--changed-code",
                hint="say it otherwise",
            )
    if not is_changed(run, manifest):
        return
    if words is None or has_export:
        raise UsageError(
            "the run was trained by code that was changed since its commit",
            where=f"{run}, commit {_find_code(run, manifest).get('commit')}",
            hint="train from a clean commit, or say what was changed with --changed-code WORDS, "
            "which the card repeats (without --export)",
        )


def is_changed(run: Path, manifest: Manifest) -> bool:
    """Say whether a run's code was changed since its commit."""
    return _find_code(run, manifest).get("dirty") is True


def _find_code(run: Path, manifest: Manifest) -> dict[str, Any]:
    """Return what is recorded of the code; manifests of 0.1.0 leave it to the environment."""
    return take(manifest, "code") or take(load_json_object(run / ENVIRONMENT), "code")
