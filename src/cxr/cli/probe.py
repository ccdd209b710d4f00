"""``cxr probe``, which ``cxr env`` starts for itself: what only loaded libraries can tell."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cxr.errors import IMPORT_FAULTS

_LIBRARIES: Final = ("numpy", "torch", "torchvision", "threadpoolctl")


def probe(
    answer: Annotated[Path, typer.Option(help="File to write the answer to, as JSON.")],
) -> None:
    """Import the numerical libraries, set every switch, and read what they say.

    Example: cxr probe --answer facts.json
    """
    from cxr.atomic import write_bytes
    from cxr.digests.canonical import canonical_json

    write_bytes(answer, canonical_json(_read()) + b"\n")


def _read() -> dict[str, Any]:
    """Return the capture of this process, or what is wrong with a library."""
    try:
        for library in _LIBRARIES:
            importlib.import_module(library)
    except IMPORT_FAULTS as error:
        # Two libraries that do not fit each other fail in any of these ways.
        return {"error": " ".join(str(error).split())}
    from cxr.determinism.controls import ControlPlan, read_controls, set_controls
    from cxr.determinism.levels import Level
    from cxr.environment.capture import capture_environment

    # Before the switches are set: the pools have the threads that this machine gives them.
    captured = capture_environment()
    set_controls(ControlPlan(level=Level.WARN, threads=1, fill_memory=False))
    # Variables are a group of their own; the instruction set stands in `numerics`.
    switches = {
        name: value
        for name, value in read_controls().items()
        if not name.isupper() and name != "torch.cpu_capability"
    }
    return {**captured, "switches": switches}
