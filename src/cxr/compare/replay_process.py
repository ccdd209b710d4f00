"""Running a recorded run again in a process of its own, under the variables that it recorded."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr.child_process import run_cxr
from cxr.determinism.variables import (
    HARMLESS_VARIABLES,
    OWN_VARIABLES,
    may_be_set_again,
    read_variables,
)
from cxr.environment.comparison import is_chosen
from cxr.errors import RecordError
from cxr.interruption import obey
from cxr.records.manifest import Manifest


class ReplayFailedError(RecordError):
    """A run cannot be run again here, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """One of two runs that are compared.

    Attributes:
        directory: The run directory.
        manifest: Its manifest.
        root: Where its data set is now; None where it was.
    """

    directory: Path
    manifest: Manifest
    root: Path | None = None


def run_replay(
    run: RecordedRun, options: Sequence[str], *, choices: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Replay a run in a fresh process, and return its answer.

    A signal that comes here is passed on, once, and obeyed when the process has ended.

    Args:
        run: The run.
        options: Of the hidden command ``cxr replay``.
        choices: Variables by which kernels are chosen; by default those that the run recorded.

    Raises:
        ReplayFailedError: The process failed.
        Interrupted: A signal came.
    """
    with tempfile.TemporaryDirectory() as place:
        answer = Path(place) / "answer.json"
        program = ["replay", str(run.directory)]
        moved = [] if run.root is None else ["--data", str(run.root)]
        code = run_cxr(
            [*program, "--answer", str(answer), *moved, *options],
            variables=derive_variables(read_choices(run.manifest) if choices is None else choices),
            silent=True,
        )
        obey("running a step again")
        found: dict[str, Any] = json.loads(answer.read_bytes()) if answer.is_file() else {}
    if "error" in found:
        raise ReplayFailedError(**found["error"])
    if code:
        ended = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        raise ReplayFailedError(
            f"the process that ran a step again was ended {ended}",
            where=str(run.directory),
            hint="if memory ran out, close other programs; else cxr doctor may say more",
        )
    return found


def read_choices(manifest: Manifest) -> dict[str, str]:
    """Return the variables by which a run's user had chosen kernels, where they are known.

    How threads wait is not among them: that is a matter of what else the machine does.
    """
    return {
        name: value
        for name, value in manifest["controls"].items()
        if isinstance(value, str)
        and name not in HARMLESS_VARIABLES
        and may_be_set_again(name, value)
        and is_chosen(name, value)
    }


def derive_variables(choices: Mapping[str, str]) -> dict[str, str]:
    """Return this process's variables, with these choices instead of its own."""
    others = {*OWN_VARIABLES, *HARMLESS_VARIABLES}
    chosen_here = [name for name in read_variables() if name not in others]
    kept = {name: value for name, value in os.environ.items() if name not in chosen_here}
    return {**kept, **choices}
