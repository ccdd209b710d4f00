"""Running a recorded run again in a process of its own, under the variables that it recorded."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr.child_process import run_cxr
from cxr.compare.recorded_variables import derive_variables, read_choices, read_withheld
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
            variables=derive_variables(
                read_choices(run.manifest) if choices is None else choices,
                read_withheld(run.manifest),
            ),
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
