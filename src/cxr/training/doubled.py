"""Running a step twice from one state: some ops do not repeat, and no flag of torch's knows them.

A single run cannot notice that otherwise. Every k-th step (``train.double_every``) is taken, the
state before it is put back, and it is taken again; both must leave the same digests.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, Final

import torch

from cxr.determinism.levels import Level
from cxr.errors import CxrError, DeterminismError
from cxr.records.ledger import PARTS
from cxr.records.op_record import OpRecord
from cxr.training.batches import Batch
from cxr.training.op_trace import find_unrepeatable_op
from cxr.training.step import Learner, StepResult, run_step
from cxr.training.tally import DoubledSteps

_ATTEMPTS: Final = 3
"""How often a step that did not repeat is traced again in search of the op."""


def run_checked_step(learner: Learner, batch: Batch, doubled: DoubledSteps) -> StepResult:
    """Take a step, twice if it is its turn.

    Args:
        learner: What the step changes.
        batch: What it sees.
        doubled: Added to.

    Returns:
        The result of the step as it was last taken.

    Raises:
        DeterminismError: Under ``strict``, the step did not repeat.
    """
    every = learner.config.train.double_every
    if not every or batch.step % every:
        return run_step(learner, batch)
    before = copy_state(learner)
    first = run_step(learner, batch)
    restore_state(learner, before)
    second = run_step(learner, batch)
    doubled.num_doubled += 1
    if first.parts != second.parts:
        # Counted before its op is looked for: nothing that happens there may hide it.
        mismatch = _count(batch, doubled, first, second)
        after = copy_state(learner)
        op = _find_op(learner, batch, before)
        restore_state(learner, after)
        mismatch["op"] = op.describe() if op is not None else None
        if learner.config.determinism is not Level.WARN:
            raise _describe(batch, mismatch)
    return second


@dataclass(frozen=True, slots=True)
class LearnerState:
    """A copy of everything that a step changes, on the device."""

    tensors: list[tuple[torch.Tensor, torch.Tensor]]
    optimizer: dict[torch.Tensor, dict[str, Any]]


def copy_state(learner: Learner) -> LearnerState:
    """Copy weights, buffers and the optimizer's state."""
    network = learner.network
    return LearnerState(
        tensors=[
            (tensor, tensor.detach().clone())
            for tensor in (*network.parameters(), *network.buffers())
        ],
        optimizer={
            parameter: {name: _copy(value) for name, value in state.items()}
            for parameter, state in learner.optimizer.state.items()
        },
    )


def restore_state(learner: Learner, state: LearnerState) -> None:
    """Put a state back; the copy stays as it is and can be put back again."""
    with torch.no_grad():
        for tensor, before in state.tensors:
            tensor.copy_(before)
    learner.optimizer.state.clear()
    for parameter, kept in state.optimizer.items():
        learner.optimizer.state[parameter] = {name: _copy(value) for name, value in kept.items()}


def _copy(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, torch.Tensor) else value


def _find_op(learner: Learner, batch: Batch, before: LearnerState) -> OpRecord | None:
    """Run the step again under trace; None where tracing lets it repeat, or breaks it."""

    def run() -> None:
        restore_state(learner, before)
        run_step(learner, batch)

    with contextlib.suppress(CxrError, RuntimeError, ValueError):
        return find_unrepeatable_op(run, attempts=_ATTEMPTS)
    return None


def _count(
    batch: Batch, doubled: DoubledSteps, first: StepResult, second: StepResult
) -> dict[str, Any]:
    """Count a step that did not repeat; return what is known of it."""
    part, tensor = _find_tensor(first, second)
    mismatch = {"step": batch.step, "part": part, "tensor": tensor, "op": None}
    doubled.num_mismatched += 1
    doubled.first = doubled.first or mismatch
    return mismatch


def _describe(batch: Batch, mismatch: dict[str, Any]) -> DeterminismError:
    """Return the error of a step that did not repeat."""
    op = mismatch["op"]
    cause = f"{op} is the first op that differs" if op else "no single op was caught"
    return DeterminismError(
        "a step that was run twice gave other bits: "
        f"{mismatch['part']} ({mismatch['tensor']}); {cause}",
        where=f"step {batch.step}, epoch {batch.epoch}",
        hint="replace that op or its module, or use determinism: warn to have it counted",
    )


def _find_tensor(first: StepResult, second: StepResult) -> tuple[str, str]:
    """Name the first part in causal order that differs, and its first tensor."""
    for part in PARTS:
        digests, again = (result.parts.get(part, {}) for result in (first, second))
        for name in {**digests, **again}:
            if digests.get(name) != again.get(name):
                return part, name
    raise ValueError("the two results are equal")
