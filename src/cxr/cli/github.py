"""Telling GitHub Actions what was found, where a command runs in one of its jobs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cxr.cli.console import print_note
from cxr.plain_text import show_plainly

_ACTIVE: Final = "GITHUB_ACTIONS"
_SUMMARY: Final = "GITHUB_STEP_SUMMARY"


def runs_in_github() -> bool:
    """Say whether this is a step of a workflow. Source: GitHub, "Default environment variables"."""
    return os.environ.get(_ACTIVE) == "true"


def tell_github(annotations: Sequence[str], summary: str) -> None:
    """Print annotations on stderr, where the runner reads them too, and append to the summary.

    A summary that cannot be written is noted: it changes nothing about what was found.
    """
    if not runs_in_github():
        return
    for annotation in annotations:
        print_note(show_plainly(annotation))
    path = os.environ.get(_SUMMARY)
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(summary)
    except OSError as error:
        print_note(f"note: the step's summary cannot be written: {error.strerror or error}")
