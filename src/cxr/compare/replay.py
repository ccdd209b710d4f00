"""Replaying the step at which two runs parted, each in a process of its own, op by op.

The ledgers are equal before that step, so the first op whose output differs is where the difference
came in. Threads and every other switch come from each run's recipe.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cxr.compare.replay_process import RecordedRun, run_replay
from cxr.compare.report import Divergence, ReplayedOp, ReplayedRun, ReplayReport
from cxr.progress import Progress
from cxr.records.op_record import OpRecord, find_first_difference

_NOT_COMPUTED: Final = {
    "samples": "other samples were chosen; no op is involved",
    "batch": "other pixels or labels reached the step, by their files, decoding or augmentation; "
    "no op of the network is involved",
    "random": "the generators differ, by their seed or by how much was drawn; ops are not compared",
    "end": "one run is done where the other goes on; no op is involved",
}
"""Parts that differ without an op that computes otherwise."""


def replay_divergence(
    a: RecordedRun, b: RecordedRun, divergence: Divergence, *, progress: Progress
) -> ReplayReport:
    """Find the first op whose output differs at the step where two runs parted.

    Args:
        a: The first run.
        b: The second.
        divergence: Where they parted.
        progress: Told what is being replayed.

    Raises:
        ReplayFailedError: A run cannot be run again here.
        Interrupted: A signal came.
    """
    step = divergence.step
    note = _NOT_COMPUTED.get(divergence.what) or explain_predictions(a, b, divergence)
    if note is not None:
        return ReplayReport(step=step, note=note)
    answers = []
    for name, run in (("a", a), ("b", b)):
        progress.note(f"replaying step {step} of run {name}")
        answers.append(run_replay(run, ["--step", str(step), "--ops"]))
    runs = [describe_replayed(answer) for answer in answers]
    if any(not run.reproduced for run in runs):
        told = [f"run {name} {say_left(run)}" for name, run in zip("ab", runs, strict=True)]
        left = [text for text, run in zip(told, runs, strict=True) if not run.reproduced]
        return ReplayReport(step=step, a=runs[0], b=runs[1], note="; ".join(left))
    traces = [[_read_op(op) for op in answer["ops"]] for answer in answers]
    number = find_first_difference(*traces)
    if number is None:
        note = "every op gave equal outputs here"
        return ReplayReport(step=step, a=runs[0], b=runs[1], note=note)
    op = _describe_op(number, traces, (a, b), step)
    return ReplayReport(step=step, a=runs[0], b=runs[1], op=op)


def explain_predictions(a: RecordedRun, b: RecordedRun, divergence: Divergence) -> str | None:
    """Say why predictions differ where no op is to blame: other weights, or other images."""
    if divergence.what != "predictions":
        return None
    splits = [run.manifest.get("metrics", {}).get("split") for run in (a, b)]
    if splits[0] != splits[1]:
        return f"other images were predicted: {splits[0]} in a, {splits[1]} in b"
    weights = [run.manifest.get("outcome", {}).get("weights_digest") for run in (a, b)]
    if weights[0] != weights[1]:
        epochs = [run.manifest.get("selection", {}).get("weights_epoch") for run in (a, b)]
        return (
            f"the weights of another epoch were chosen: {epochs[0]} in a, {epochs[1]} in b; "
            "see train.monitor and train.keep_weights"
        )
    return None


def describe_replayed(answer: dict[str, Any]) -> ReplayedRun:
    """Return what a replay's answer says of the run."""
    return ReplayedRun(
        reproduced=answer["left_at"] is None,
        begun_at=answer["begun_at"],
        left_at=answer["left_at"],
        left_in=answer["left_in"],
    )


def say_left(run: ReplayedRun) -> str:
    """Say where a run that does not repeat here leaves its own ledger."""
    return f"leaves its own ledger at step {run.left_at} ({run.left_in})"


def _read_op(content: dict[str, Any]) -> OpRecord:
    return OpRecord(**{**content, "outputs": tuple(content["outputs"])})


def _describe_op(
    number: int,
    traces: Sequence[Sequence[OpRecord]],
    runs: Sequence[RecordedRun],
    step: int,
) -> ReplayedOp:
    """Name the first differing op, and measure how far its outputs are apart."""
    one, other = (trace[number] if number < len(trace) else None for trace in traces)
    told = one or other
    if told is None:
        raise ValueError("neither trace has that op")
    output, tensor, other_op = None, None, None
    size: dict[str, Any] = {}
    if one is None or other is None:
        other_op = "nothing"
    elif (one.op, one.module) != (other.op, other.module):
        other_op = other.op
    else:
        pairs = zip(one.outputs, other.outputs, strict=False)
        output = next((place for place, pair in enumerate(pairs) if pair[0] != pair[1]), None)
        if output is not None:
            tensor, size = _measure(runs, step, number, output)
    return ReplayedOp(
        number=number,
        op=told.op,
        module=told.module,
        backward=told.backward,
        other_op=other_op,
        output=output,
        tensor=tensor,
        size=size,
    )


def _measure(
    runs: Sequence[RecordedRun], step: int, number: int, output: int
) -> tuple[str | None, dict[str, Any]]:
    """Replay both runs once more, keep what one op wrote, name it and compare it."""
    from cxr.training.replay import measure_difference

    with tempfile.TemporaryDirectory() as place:
        kept = [Path(place) / f"{name}.safetensors" for name in "ab"]
        for run, file in zip(runs, kept, strict=True):
            options = ["--step", str(step), "--ops", "--keep", str(number), "--tensors", str(file)]
            names = run_replay(run, options)["kept_names"]
        return names[output], measure_difference(kept[0], kept[1], output)
