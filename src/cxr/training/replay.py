"""Running one step of a recorded run again: to see whether it repeats here, and op by op.

The run's directory is only read. Its newest checkpoint before the step is where it begins, or else
its initial state, and every step on the way is held against a ledger: its own, to know that it is
this run that is being repeated, or another run's, to know whether a changed recipe gives that run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from cxr.config.load import load_config
from cxr.determinism.arithmetic import arithmetic
from cxr.errors import RecordError
from cxr.evaluation.predict import predict_split
from cxr.evaluation.trained_network import load_outcome_weights
from cxr.models.build import build_network, find_initial_weights, set_training_mode
from cxr.models.weights import write_tensors
from cxr.progress import Progress
from cxr.records.ledger import INITIAL_STEP, PARTS, StepRecord, digest_part, read_ledger
from cxr.records.manifest import load_sealed_run
from cxr.records.op_record import OpRecord
from cxr.records.run_config import describe_overrides, load_recorded_config
from cxr.records.run_directory import CONFIG
from cxr.training.agreement import load_epoch_ends
from cxr.training.batches import iterate_batches
from cxr.training.checkpoint import list_checkpoints, restore_checkpoint
from cxr.training.inputs import find_inputs
from cxr.training.loop import trace_initial_state
from cxr.training.op_trace import OpTrace
from cxr.training.optimizer import name_optimizer_state
from cxr.training.prepare import Prepared, build_learner, prepare_run
from cxr.training.step import Learner, run_step
from cxr.training.trace import Digests, trace_predictions

_Parts = dict[str, Digests]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """What to run again.

    Attributes:
        run: The run's directory.
        step: The step; -1 for the initial state, the number of steps for the predictions.
        against: The run whose ledger each step is held against.
        overrides: Changes of the recipe, as ``--set`` takes them.
        root: The data set's root here; by default the one that the run used.
        trace: Whether the step's ops are recorded.
        keep: Number of the op whose outputs are kept, or None.
    """

    run: Path
    step: int
    against: Path
    overrides: Sequence[str] = ()
    root: Path | None = None
    trace: bool = False
    keep: int | None = None


@dataclass(slots=True)
class Replay:
    """What came of it.

    Attributes:
        begun_at: The first step that was run again.
        left_at: The first step that is not as the ledger has it, or None.
        left_in: The part of that step, or None.
        ops: The ops of the step, if they were asked for.
        kept: Outputs of one op.
        kept_names: What each of these is: a parameter, a gradient, a buffer or optimizer state;
            None for a value that only passes through.
    """

    begun_at: int = INITIAL_STEP
    left_at: int | None = None
    left_in: str | None = None
    ops: list[OpRecord] = field(default_factory=list)
    kept: list[torch.Tensor] = field(default_factory=list)
    kept_names: list[str | None] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return all but the kept tensors as plain JSON values."""
        return {
            "begun_at": self.begun_at,
            "left_at": self.left_at,
            "left_in": self.left_in,
            "ops": [asdict(op) for op in self.ops],
            "kept_names": self.kept_names,
        }


def replay_step(plan: ReplayPlan, *, progress: Progress) -> Replay:
    """Run a recorded run again up to a step, and record that step's ops.

    Steps before it are run only as far as they agree with the ledger.

    Raises:
        RecordError: The run's record cannot be relied on, or its ledger lacks the step.
        CxrError: The recipe cannot be run here.
    """
    manifests = [load_sealed_run(run) for run in (plan.run, plan.against)]
    config = load_recorded_config(plan.run, manifests[0], root=plan.root)
    if plan.overrides:
        places = {"data.root": config.data.root, "data.csv.file": config.data.csv.file}
        named = {name: value for name, value in places.items() if value is not None}
        moved = [] if plan.root is None else describe_overrides(named)
        config = load_config(plan.run / CONFIG, [*moved, *plan.overrides])
    wanted = _load_lines(plan.against, plan.step)
    # With the data of the run that it is held against in their place, these are recorded as well.
    recorded = {manifest["recipe"]["data_digest"] for manifest in manifests}
    prepared = prepare_run(config, find_inputs(config, progress, recorded=recorded))
    if plan.step == INITIAL_STEP:
        return _replay_initialisation(plan, prepared, wanted)
    if "predictions" in wanted[plan.step].parts:
        return _replay_predictions(plan, prepared, wanted)
    return _replay_training(plan, prepared, wanted, progress)


def write_kept(path: Path, replay: Replay) -> None:
    """Write the outputs that were kept as safetensors, by their number.

    Raises:
        StorageError: The file cannot be written.
    """
    tensors = {str(number): tensor for number, tensor in enumerate(replay.kept)}
    write_tensors(path, tensors, kind="replay")


def measure_difference(a: Path, b: Path, number: int) -> dict[str, Any]:
    """Compare one output of an op that two replays kept.

    Args:
        a: File of the first replay's outputs.
        b: File of the second's.
        number: Which output.

    Returns:
        ``shape``, ``dtype``, ``elements``, how many of them differ in their bits, and the largest
        absolute difference; None where the shapes differ or a difference is not a number.
    """
    one, other = (safetensors.torch.load_file(path)[str(number)] for path in (a, b))
    found: dict[str, Any] = {
        "shape": list(one.shape),
        "dtype": str(one.dtype).removeprefix("torch."),
        "elements": one.numel(),
        "differing": None,
        "largest_difference": None,
    }
    if one.shape != other.shape or one.dtype != other.dtype:
        return found
    bits_a, bits_b = (value.contiguous().reshape(-1).view(torch.uint8) for value in (one, other))
    changed = (bits_a != bits_b).reshape(one.numel(), -1).any(dim=1)
    found["differing"] = int(changed.sum())
    largest = float((one.double() - other.double()).abs().max())
    found["largest_difference"] = largest if largest < float("inf") else None
    return found


def _load_lines(run: Path, step: int) -> dict[int, StepRecord]:
    """Return a ledger's lines up to a step, by step."""
    lines: dict[int, StepRecord] = {}
    for record in read_ledger(run):
        lines[record.step] = record
        if record.step == step:
            return lines
    raise RecordError(
        f"the ledger has no step {step}",
        where=str(run),
        hint="the run ended before it; choose a step that both runs have",
    )


def _replay_initialisation(
    plan: ReplayPlan, prepared: Prepared, wanted: dict[int, StepRecord]
) -> Replay:
    """Build the network again, under trace."""
    replay = Replay(begun_at=INITIAL_STEP)
    num_classes = len(prepared.dataset.lock.classes)
    # Those of the preparation were let go once a network had them.
    weights = find_initial_weights(prepared.config)
    with _computing(prepared, "initialisation"), _traced(plan, replay):
        network = build_network(prepared.config, num_classes=num_classes, weights=weights)
    learner = build_learner(replace(prepared, network=network))
    _hold(replay, wanted[INITIAL_STEP], trace_initial_state(learner))
    return replay


def _replay_predictions(
    plan: ReplayPlan, prepared: Prepared, wanted: dict[int, StepRecord]
) -> Replay:
    """Predict again with the weights that the run ended with.

    Raises:
        RecordError: It did not complete, or its weights are not those of its outcome.
    """
    replay = Replay(begun_at=plan.step)
    config, network = prepared.config, build_learner(prepared).network
    manifest = load_sealed_run(plan.run, completed=True)
    network.load_state_dict(load_outcome_weights(plan.run, manifest))
    split = prepared.dataset.split(config.evaluate.split)
    classes = prepared.dataset.lock.classes
    with _computing(prepared, f"prediction of {split.name}"), _traced(plan, replay):
        predictions = predict_split(network, split, classes, config)
    _hold(replay, wanted[plan.step], {"predictions": trace_predictions(predictions)})
    return replay


def _replay_training(
    plan: ReplayPlan, prepared: Prepared, wanted: dict[int, StepRecord], progress: Progress
) -> Replay:
    """Train from the nearest checkpoint, or from the beginning, to the step."""
    learner = build_learner(prepared)
    begun_at = _restore_nearest(plan, learner, wanted)
    replay = Replay(begun_at=begun_at)
    if begun_at == INITIAL_STEP:
        _hold(replay, wanted[INITIAL_STEP], trace_initial_state(learner))
    config, first = prepared.config, max(begun_at, 0)
    for epoch in range(first // learner.steps_per_epoch, config.train.epochs):
        set_training_mode(learner.network, config.model)
        for batch in iterate_batches(config, prepared.dataset.split("train"), epoch):
            if replay.left_at is not None:
                return replay
            last = batch.step == plan.step
            traced = _traced(plan, replay, learner) if last else contextlib.nullcontext()
            with _computing(prepared, f"step {batch.step}, epoch {epoch}"), traced:
                result = run_step(learner, batch)
            _hold(replay, wanted[batch.step], result.parts)
            progress.advance("replaying steps", batch.step - first + 1, plan.step - first + 1)
            if last:
                return replay
    return replay


def _restore_nearest(plan: ReplayPlan, learner: Learner, wanted: dict[int, StepRecord]) -> int:
    """Restore the run's newest checkpoint before the step; return the step that follows it.

    One that is damaged, or is not what both ledgers saw, the run's own and the one that is held
    against, is passed over; the learner is as it was then.

    Raises:
        RecordError: The run's ledger was edited.
    """
    # Where the chains are equal, so is all that is before.
    both_saw = {
        epoch: line
        for epoch, line in load_epoch_ends(plan.run, learner.steps_per_epoch).items()
        if line.step < plan.step and line.step in wanted and line.chain == wanted[line.step].chain
    }
    for path in reversed(list_checkpoints(plan.run)):
        if int(path.stem.rpartition("-")[2]) > plan.step:
            continue
        try:
            return restore_checkpoint(path, learner, both_saw).next_step
        except RecordError:
            continue
    return INITIAL_STEP


def _hold(replay: Replay, line: StepRecord, parts: _Parts) -> None:
    """Compare a step's digests with the ledger's line; note the first part that differs."""
    if replay.left_at is not None:
        return
    for part in PARTS:
        found = digest_part(parts[part]) if part in parts else None
        if found != line.parts.get(part):
            replay.left_at, replay.left_in = line.step, part
            return


def _computing(prepared: Prepared, where: str) -> contextlib.AbstractContextManager[None]:
    ops = prepared.tally.ops_without_kernel
    level, slices = prepared.config.determinism, prepared.config.portable.slices
    return arithmetic(level, slices=slices, ops_without_kernel=ops, where=where)


@contextlib.contextmanager
def _traced(plan: ReplayPlan, replay: Replay, learner: Learner | None = None) -> Iterator[None]:
    """Record the block's ops, where the plan asks for it, and name what a learner keeps of them."""
    if not plan.trace:
        yield
        return
    with OpTrace(keep=plan.keep) as trace:
        yield
    replay.ops, replay.kept = trace.records, trace.kept
    names = _name_places(learner) if learner is not None else {}
    replay.kept_names = [names.get(place) for place in trace.kept_places]


def _name_places(learner: Learner) -> dict[int, str]:
    """Return the names of what a step leaves, by where it lies in memory."""
    network = learner.network
    gradients = {
        f"gradient of {name}": value.grad
        for name, value in network.named_parameters()
        if value.grad is not None
    }
    state = name_optimizer_state(learner.optimizer, network)
    named = {**state, **dict(network.named_buffers()), **gradients}
    named |= dict(network.named_parameters())
    return {tensor.data_ptr(): name for name, tensor in named.items()}
