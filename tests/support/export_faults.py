"""Faults of an export: what it writes is not the same twice, or somebody stops it."""

from __future__ import annotations

import os
import signal
import time
from typing import Any


def export_stamp(_: str) -> None:
    """Somebody writes the time into an exported file."""
    from cxr.release import write_export

    original = write_export.describe_preprocessing

    def describe(data: Any) -> dict[str, Any]:
        return {**original(data), "written": time.time_ns()}

    write_export.describe_preprocessing = describe


def export_interrupted(_: str) -> None:
    """Ctrl-C when the model is written and not measured yet."""
    from cxr.release import write_export

    original = write_export.measure_exported

    def measure(*arguments: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return original(*arguments, **options)

    write_export.measure_exported = measure


FAULTS = {"export-stamp": export_stamp, "export-interrupted": export_interrupted}
