"""Capturing what only a process that has loaded the numerical libraries can tell."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
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
    probed = probe_environment()
    if "error" in probed:
        progress.note(f"note: torch cannot be asked: {probed['error']}")
    progress.advance("importing torch in a process of its own", 1, 1)
    if files:
        captured["installed"] = capture_installed(progress)
    return {**captured, **{name: probed[name] for name in PROBED_GROUPS if name in probed}}


def probe_environment(
    *, python: Path | None = None, variables: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the capture that a fresh process takes once it has imported torch, or ``error``.

    Args:
        python: The interpreter; None: this one.
        variables: The whole environment of that process; None: as here.

    Raises:
        Interrupted: A signal came.
    """
    try:
        place = tempfile.mkdtemp()
    except OSError as error:
        return {"error": f"it needs a temporary directory: {error.strerror or error}"}
    try:
        answer = Path(place) / "answer.json"
        code = run_cxr(
            ["probe", "--answer", str(answer)], variables=variables, python=python, silent=True
        )
        obey("reading what torch knows")
        found: dict[str, Any] = json.loads(answer.read_bytes()) if answer.is_file() else {}
        if code or not found:
            said = f"the process that imports it ended with exit code {code}"
            return {"error": found.get("error", said)}
        return found
    finally:
        shutil.rmtree(place, ignore_errors=True)
