"""Replaying the step at which two runs parted, each in a process of its own, op by op.

Each process gets the variables that its run recorded; threads and every other switch come from its
recipe. The ledgers are equal before that step, so the first op whose output differs is where the
difference came in.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cxr.compare.report import Divergence, ReplayedOp, ReplayedRun, ReplayReport
from cxr.determinism.environment import NOT_RECORDED, OWN_VARIABLES, read_variables
from cxr.errors import RecordError
from cxr.progress import Progress
from cxr.records.manifest import Manifest

_WITHOUT_OPS: Final = {
    "samples": "other samples were chosen: no op is involved",
    "batch": "the images or labels themselves differ: no op is involved",
    "random": "generators differ, by their seed or by a draw more or less: no op is involved",
    "end": "one run is done where the other goes on: no op is involved",
}
"""Parts that differ before anything is computed."""

_Run = tuple[Path, Manifest]


def replay_divergence(
    a: _Run, b: _Run, divergence: Divergence, *, progress: Progress
) -> ReplayReport:
    """Find the first op whose output differs at the step where two runs parted.

    Args:
        a: Directory and manifest of the first run.
        b: Of the second.
        divergence: Where they parted.
        progress: Told what is being replayed.

    Raises:
        RecordError: A run cannot be run again here; its own error says why.
    """
    step = divergence.step
    if divergence.what in _WITHOUT_OPS:
        return ReplayReport(step=step, note=_WITHOUT_OPS[divergence.what])
    with tempfile.TemporaryDirectory() as place:
        sides = [_Side(*run, Path(place) / name) for name, run in (("a", a), ("b", b))]
        found = []
        for name, side in zip("ab", sides, strict=True):
            progress.note(f"replaying step {step} of run {name}")
            found.append(side.replay(step))
        runs = [_describe(answer) for answer in found]
        if any(not run.reproduced for run in runs):
            return ReplayReport(step=step, a=runs[0], b=runs[1], note=_say_who_left(runs))
        number = find_first_difference(found[0]["ops"], found[1]["ops"])
        if number is None:
            return ReplayReport(
                step=step, a=runs[0], b=runs[1], note="every op gave equal outputs here"
            )
        for side in sides:
            side.keep(step, number)
        op = _describe_op(number, found[0]["ops"], found[1]["ops"], sides)
    return ReplayReport(step=step, a=runs[0], b=runs[1], op=op)


def find_first_difference(a: Sequence[Any], b: Sequence[Any]) -> int | None:
    """Return the number of the first op in which two traces differ, or None."""
    for number, (one, other) in enumerate(zip(a, b, strict=False)):
        if one != other:
            return number
    return None if len(a) == len(b) else min(len(a), len(b))


@dataclass(frozen=True, slots=True)
class _Side:
    """One of two runs, and where its replay leaves its answer."""

    run: Path
    manifest: Manifest
    place: Path

    def replay(self, step: int) -> dict[str, Any]:
        """Replay a step with its ops."""
        self.place.mkdir()
        return run_replay(
            ["--step", str(step), "--ops"],
            self.run,
            read_choices(self.manifest),
            self.place / "answer.json",
        )

    def keep(self, step: int, number: int) -> None:
        """Replay it once more and keep what one op wrote."""
        options = ["--step", str(step), "--ops", "--keep", str(number)]
        options += ["--tensors", str(self.kept)]
        run_replay(options, self.run, read_choices(self.manifest), self.place / "kept.json")

    @property
    def kept(self) -> Path:
        """File of the kept outputs."""
        return self.place / "kept.safetensors"


def run_replay(
    options: Sequence[str], run: Path, choices: Mapping[str, str], answer: Path
) -> dict[str, Any]:
    """Replay a run in a fresh process.

    Args:
        options: Of the hidden command ``cxr replay``.
        run: The run directory.
        choices: Variables by which kernels are chosen; others of that kind are unset.
        answer: File for the answer.

    Raises:
        RecordError: The process failed.
    """
    program = [sys.executable, "-P", "-m", "cxr", "replay", str(run), "--answer", str(answer)]
    chosen_here = [name for name in read_variables() if name not in OWN_VARIABLES]
    kept = {name: value for name, value in os.environ.items() if name not in chosen_here}
    process = subprocess.run(  # noqa: S603 - this very program
        [*program, *options],
        env={**kept, **choices},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="backslashreplace",
        check=False,
    )
    if process.returncode or not answer.is_file():
        said = " ".join(process.stderr.split())[-400:]
        raise RecordError(
            f"the run cannot be run again here: {said or process.returncode}",
            where=str(run),
            hint="mend what it says, then compare again",
        )
    found: dict[str, Any] = json.loads(answer.read_bytes())
    return found


def read_choices(manifest: Manifest) -> dict[str, str]:
    """Return the variables by which a run's user had chosen kernels."""
    return {
        name: value
        for name, value in manifest["controls"].items()
        if name.isupper()
        and name not in OWN_VARIABLES
        and isinstance(value, str)
        and value != NOT_RECORDED
    }


def _describe(answer: dict[str, Any]) -> ReplayedRun:
    return ReplayedRun(
        reproduced=answer["left_at"] is None,
        begun_at=answer["begun_at"],
        left_at=answer["left_at"],
        left_in=answer["left_in"],
    )


def _say_who_left(runs: Sequence[ReplayedRun]) -> str:
    """Say which run does not repeat here, and where it leaves its own ledger."""
    told = [
        f"run {name} leaves its own ledger at step {run.left_at} ({run.left_in})"
        for name, run in zip("ab", runs, strict=True)
        if not run.reproduced
    ]
    return "; ".join(told)


def _describe_op(
    number: int, a: Sequence[Any], b: Sequence[Any], sides: Sequence[_Side]
) -> ReplayedOp:
    """Name the first differing op, and measure how far its outputs are apart."""
    one = a[number] if number < len(a) else None
    other = b[number] if number < len(b) else None
    told = one or other or {}
    names = [None if op is None else (op["op"], op["module"]) for op in (one, other)]
    output = None
    size: dict[str, Any] = {}
    if one is not None and other is not None and names[0] == names[1]:
        pairs = zip(one["outputs"], other["outputs"], strict=False)
        output = next((place for place, pair in enumerate(pairs) if pair[0] != pair[1]), None)
    if output is not None:
        from cxr.training.replay import measure_difference

        size = measure_difference(sides[0].kept, sides[1].kept, output)
    return ReplayedOp(
        number=number,
        op=told["op"],
        module=told["module"],
        backward=told["backward"],
        other_op=None if names[0] == names[1] else (other or {}).get("op"),
        output=output,
        size=size,
    )
