"""Capturing what only a process that has loaded the numerical libraries can tell."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from cxr.child_process import run_cxr
from cxr.environment.capture import capture_environment
from cxr.environment.facts import Capture
from cxr.environment.installed_files import capture_installed
from cxr.interruption import obey
from cxr.progress import SILENCE, Progress

PROBED_GROUPS: Final = ("gpu", "numerics", "switches")
"""Groups that a process of their own reads."""


def capture_deep_environment(progress: Progress = SILENCE, *, files: bool = True) -> Capture:
    """Read the environment as `capture_environment` does, and in a child process what torch knows.

    Args:
        progress: Told what is being done, and what could not be.
        files: Whether installed files are compared with what was installed.

    Where torch is not installed or cannot be imported those groups stay ``not_read``, and
    ``progress`` hears why.

    Raises:
        Interrupted: A signal came.
    """
    captured = capture_environment()
    progress.advance("importing torch in a process of its own", 0, 1)
    probed = _probe()
    if "error" in probed:
        progress.note(f"note: torch cannot be asked: {probed['error']}")
    progress.advance("importing torch in a process of its own", 1, 1)
    if files:
        captured["installed"] = capture_installed(progress)
    return {**captured, **{name: probed[name] for name in PROBED_GROUPS if name in probed}}


def _probe() -> dict[str, Any]:
    """Return the groups that a fresh process read, or ``error``."""
    try:
        place = tempfile.mkdtemp()
    except OSError as error:
        return {"error": f"it needs a temporary directory: {error.strerror or error}"}
    try:
        answer = Path(place) / "answer.json"
        code = run_cxr(["probe", "--answer", str(answer)], silent=True)
        obey("reading what torch knows")
        if code or not answer.is_file():
            return {"error": f"the process that imports it ended with exit code {code}"}
        found: dict[str, Any] = json.loads(answer.read_bytes())
        return found
    finally:
        shutil.rmtree(place, ignore_errors=True)
