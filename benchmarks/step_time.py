"""What cxr adds to a training step, against a bare PyTorch loop over the same batches.

Compared: whole runs through ``cxr.training.run.train``, as ``cxr train`` makes them (loader,
digests, ledger, figures and checkpoints on), and a plain loop with the same ResNet-18, AdamW,
prepared tensors, threads and determinism switches. The loops take turns step by step: when cxr
reports a step as done its clock stops, and the bare loop takes a step. Both start from the same
weights, and the result says whether they also end in the same bits.

The ratio is that of each loop's fastest step over all rounds: every step does the same work, so
what makes one slower is the machine. Beside it stands the median of the ratios of neighbouring
steps. What cxr does once an epoch (first batch, checkpoint, copy of the weights, figures) is spread
over ``--steps-per-epoch`` steps and counts against the target. Validation does not count: the bare
loop has none.

A second table says where the time goes, measured in the same steps. A third compares bare steps
with and without torch filling fresh memory (``fill_memory`` in a recipe). A fourth compares steps
that are run twice (``train.double_every``) with steps that are not; those are counted apart.

    uv run --group bench python benchmarks/step_time.py
    uv run --group bench python benchmarks/step_time.py --image-size 64 --rounds 9 --json step.json
"""

from __future__ import annotations

import argparse
import functools
import json
import pkgutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from unittest import mock

from cxr.determinism.levels import Level
from cxr.determinism.variables import reexecute_prepared, set_variables
from result import Result, Table, Target, format_ms

LIMIT: Final = 1.03
LEDGER_LIMIT: Final = 0.02
CHECKPOINT_LIMIT: Final = 0.01

_WARM_UP_STEPS: Final = 2
_NUM_EVALUATED: Final = 8
_FIRST_BATCH: Final = "waiting for the first batch"
_LOADER: Final = "waiting for a batch"
# Where cxr calls each part of a step: the name by which the caller knows it.
_STEP_PARTS: Final = {
    "seeding generators": "cxr.training.step.seed_global_generators",
    "digests: samples": "cxr.training.step.trace_samples",
    "digests: batch": "cxr.training.step.trace_batch",
    "digests: generators": "cxr.training.step.trace_generators",
    "digests: buffers": "cxr.training.step.trace_buffers",
    "digests: gradients": "cxr.training.step.trace_gradients",
    "digests: optimizer": "cxr.training.step.trace_optimizer",
    "digests: parameters": "cxr.training.step.trace_parameters",
    "ledger write": "cxr.training.loop.LedgerWriter.append",
}
_EPOCH_PARTS: Final = {
    "copy of the weights": "cxr.training.loop.copy_weights",
    "checkpoint": "cxr.training.loop.write_checkpoint",
    "figures": "cxr.training.loop.RunRecord.append_metrics",
}

Rounds = list[list[float]]
"""By round, the time of each step in seconds."""


@dataclass(slots=True, kw_only=True)
class StepTimes:
    """What was measured at one image size.

    Attributes:
        cxr: Steps of cxr.
        bare: Steps of the bare loop.
        parts: By part of cxr's step or epoch, the time of each call in seconds.
        same_bits: By round, whether both loops ended with the same weights.
    """

    cxr: Rounds = field(default_factory=list)
    bare: Rounds = field(default_factory=list)
    parts: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    same_bits: list[bool] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Ratio of the step times alone."""
        return fastest(self.cxr) / fastest(self.bare)

    @property
    def epoch_s(self) -> float:
        """Time of what cxr does once an epoch, in seconds."""
        return sum(statistics.median(self.parts[name]) for name in (_FIRST_BATCH, *_EPOCH_PARTS))


def main() -> None:
    """Measure each image size; the first one is judged by the target."""
    options = _parse()
    reexecute_prepared(sys.orig_argv)
    set_variables(threads=options.threads)
    settings = {name: value for name, value in vars(options).items() if name != "json"}
    result = Result(benchmark="step_time", settings=settings)
    for size_px in options.image_size:
        with tempfile.TemporaryDirectory() as name:
            write_images(options, size_px, Path(name))
            times = measure_steps(options, size_px, Path(name))
            filled, unfilled = measure_fill_memory(options, size_px, Path(name))
            doubled, single = measure_doubling(options, size_px, Path(name))
        add_steps(result, times, size_px, options.steps_per_epoch)
        add_fill_memory(result, filled, unfilled, size_px)
        add_doubling(result, doubled, single, size_px)
    result.show(options.json)


def write_images(options: argparse.Namespace, size_px: int, scratch: Path) -> None:
    """Draw as many radiographs as the steps of a round need."""
    from cxr.data.drawing.radiographs import SynthPlan, write_dataset

    num_train = options.batch_size * (options.steps + _WARM_UP_STEPS)
    plan = SynthPlan(size_px=size_px, train=num_train, val=_NUM_EVALUATED, test=_NUM_EVALUATED)
    write_dataset(scratch / "images", plan)


def make_config(options: argparse.Namespace, size_px: int, scratch: Path) -> Any:
    """Return the recipe: one epoch of ResNet-18 with every kind of augmentation."""
    from cxr.config.schema import RunConfig

    fields = {
        "seed": 42,
        "threads": options.threads,
        "workers": options.workers,
        "data": {
            "source": "folder",
            "root": str(scratch / "images"),
            "cache_dir": str(scratch / "cache"),
            "classes": ["NORMAL", "PNEUMONIA"],
            "image_size": size_px,
        },
        "model": {"name": "resnet18"},
        "train": {
            "epochs": 1,
            "batch_size": options.batch_size,
            "lr": 1e-3,
            "augment": {"flip": True, "pad": 4, "zoom": 0.1, "brightness": 0.1, "contrast": 0.2},
        },
    }
    return RunConfig.model_validate_json(json.dumps(fields))


class BareLoop:
    """The loop that anybody would write, over batches that are already in memory."""

    def __init__(self, config: Any) -> None:
        from cxr.data.dataset import load_dataset
        from cxr.determinism.controls import ControlPlan, set_controls
        from cxr.models.build import build_network
        from cxr.training.batches import iterate_batches
        from cxr.training.optimizer import build_optimizer

        plan = ControlPlan(
            level=config.determinism, threads=config.threads, fill_memory=config.fill_memory
        )
        set_controls(plan)
        train = load_dataset(config.data).split("train")
        self.network = build_network(config, num_classes=len(config.data.classes)).train()
        self.optimizer = build_optimizer(self.network, config.train, level=Level.STRICT)
        self.batches = [
            (batch.images_BCHW, batch.labels) for batch in iterate_batches(config, train, 0)
        ]

    def step(self, position: int) -> float:
        """Take one step over a batch and return its loss."""
        from torch.nn.functional import cross_entropy

        images_BCHW, labels = self.batches[position]  # noqa: N806 - the suffix names the axes
        self.optimizer.zero_grad(set_to_none=True)
        loss = cross_entropy(self.network(images_BCHW), labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def has_weights_of(self, run: Path) -> bool:
        """Say whether the loop's weights are, bit for bit, those that a run ended with."""
        from cxr.digests.tensors import digest_weights
        from cxr.models.weights import load_tensors

        weights = load_tensors(run / "model.safetensors")
        return digest_weights(weights) == digest_weights(self.network.state_dict())


class TakingTurns:
    """Listens to a run's progress, and lets the bare loop take a step after each of its steps."""

    def __init__(self, bare_step: Callable[[int], float]) -> None:
        self._bare_step = bare_step
        self._resumed = time.perf_counter()
        self.cxr: list[float] = []
        self.bare: list[float] = []

    def advance(self, what: str, done: int, _total: int) -> None:
        """Stop cxr's clock, take a bare step, and start cxr's clock again."""
        stopped = time.perf_counter()
        if not what.startswith("epoch "):
            return
        self.cxr.append(stopped - self._resumed)
        self.bare.append(time_call(self._bare_step, done - 1))
        self._resumed = time.perf_counter()

    def note(self, text: str) -> None:
        """Hear a line about an epoch, and say nothing."""


def measure_steps(options: argparse.Namespace, size_px: int, scratch: Path) -> StepTimes:
    """Run both loops, round by round, over the images in ``scratch``."""
    from cxr.training.run import train

    config, times = make_config(options, size_px, scratch), StepTimes()
    with timed_parts(times.parts):
        for number in range(options.rounds):
            bare, run = BareLoop(config), scratch / f"run-{number}"
            progress = TakingTurns(bare.step)
            train(config, out=run, progress=progress)
            times.cxr.append(progress.cxr)
            times.bare.append(progress.bare)
            times.same_bits.append(bare.has_weights_of(run))
    times.cxr, times.bare = drop_warm_up(times.cxr), drop_warm_up(times.bare)
    return times


@contextmanager
def timed_parts(parts: defaultdict[str, list[float]]) -> Iterator[None]:
    """Time what a step or an epoch of cxr calls, while the block runs."""
    from cxr.training import loop

    iterate_batches = loop.iterate_batches

    def iterate_timed(*arguments: Any) -> Iterator[Any]:
        batches = iterate_batches(*arguments)
        # The first one is asked for when none is being prepared yet.
        first, following = (timed(next, parts[name]) for name in (_FIRST_BATCH, _LOADER))
        batch = first(batches, None)
        while batch is not None:
            yield batch
            batch = following(batches, None)

    with ExitStack() as stack:
        for name, target in (_STEP_PARTS | _EPOCH_PARTS).items():
            replacement = timed(pkgutil.resolve_name(target), parts[name])
            stack.enter_context(mock.patch(target, replacement))
        stack.enter_context(mock.patch("cxr.training.loop.iterate_batches", iterate_timed))
        yield


def measure_fill_memory(
    options: argparse.Namespace, size_px: int, scratch: Path
) -> tuple[Rounds, Rounds]:
    """Let bare steps with and without memory filling take turns."""
    import torch

    deterministic: Any = torch.utils.deterministic
    filled: Rounds = []
    unfilled: Rounds = []
    for _ in range(options.rounds):
        loop = BareLoop(make_config(options, size_px, scratch))
        filled.append([])
        unfilled.append([])
        for position in range(len(loop.batches)):
            for fills, rounds in ((True, filled), (False, unfilled)):
                deterministic.fill_uninitialized_memory = fills
                rounds[-1].append(time_call(loop.step, position))
    return drop_warm_up(filled), drop_warm_up(unfilled)


def measure_doubling(
    options: argparse.Namespace, size_px: int, scratch: Path
) -> tuple[Rounds, Rounds]:
    """Let steps that are run twice and steps that are not take turns."""
    from cxr.progress import SILENCE
    from cxr.training.batches import iterate_batches
    from cxr.training.doubled import run_checked_step
    from cxr.training.inputs import find_inputs
    from cxr.training.prepare import build_learner, prepare_run
    from cxr.training.step import run_step
    from cxr.training.tally import DoubledSteps

    config = make_config(options, size_px, scratch)
    every = config.model_copy(update={"train": config.train.model_copy(update={"double_every": 1})})
    prepared = prepare_run(every, find_inputs(every, SILENCE))
    learner, tally = build_learner(prepared), DoubledSteps()
    learner.network.train()
    doubled: Rounds = [[]]
    single: Rounds = [[]]
    for batch in iterate_batches(config, prepared.dataset.split("train"), 0):
        single[0].append(time_call(lambda _, batch=batch: run_step(learner, batch).loss, 0))
        doubled[0].append(
            time_call(lambda _, batch=batch: run_checked_step(learner, batch, tally).loss, 0)
        )
    return drop_warm_up(doubled), drop_warm_up(single)


def timed(function: Callable[..., Any], times: list[float]) -> Callable[..., Any]:
    """Return ``function`` so that it appends the time of each call to ``times``."""

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            times.append(time.perf_counter() - start)

    return run


def time_call(function: Callable[[int], float], position: int) -> float:
    """Return the time of one call in seconds."""
    start = time.perf_counter()
    function(position)
    return time.perf_counter() - start


def drop_warm_up(rounds: Rounds) -> Rounds:
    """Return the rounds without their first steps."""
    return [steps[_WARM_UP_STEPS:] for steps in rounds]


def fastest(rounds: Rounds) -> float:
    """Return the time of the fastest step."""
    return min(min(steps) for steps in rounds)


def median_ratio(numerators: Rounds, denominators: Rounds) -> float:
    """Return the median over all steps of the ratio to the step beside it."""
    return statistics.median(
        above / below
        for steps, others in zip(numerators, denominators, strict=True)
        for above, below in zip(steps, others, strict=True)
    )


def add_steps(result: Result, times: StepTimes, size_px: int, steps_per_epoch: int) -> None:
    """Add the comparison and the breakdown of one image size to the result."""
    cxr_s, bare_s = fastest(times.cxr), fastest(times.bare)
    with_epoch = (cxr_s + times.epoch_s / steps_per_epoch) / bare_s
    same_bits = all(times.same_bits)
    result.figures[f"{size_px} px"] = {
        "cxr_s": times.cxr,
        "bare_s": times.bare,
        "ratio_of_steps": times.ratio,
        "ratio_with_epoch": with_epoch,
        "same_bits": same_bits,
        "parts_s": dict(times.parts),
    }
    rows = [
        ("bare loop", format_ms(bare_s), "1.000", "1.000"),
        (
            "cxr",
            format_ms(cxr_s),
            f"{times.ratio:.3f}",
            f"{median_ratio(times.cxr, times.bare):.3f}",
        ),
        (
            f"cxr, epochs of {steps_per_epoch} steps",
            format_ms(cxr_s + times.epoch_s / steps_per_epoch),
            f"{with_epoch:.3f}",
            "",
        ),
    ]
    title = f"A step at {size_px} px; both loops end in the same bits: {same_bits}"
    header = ("loop", "step", "ratio", "median of paired ratios")
    result.tables.append(Table(title=title, header=header, rows=rows))
    result.tables.append(show_parts(times, size_px, steps_per_epoch, bare_s))
    if not result.targets:
        name = f"step time, cxr / bare, {size_px} px"
        per_step = sum(statistics.median(times.parts[part]) for part in _STEP_PARTS)
        checkpoint = statistics.median(times.parts["checkpoint"]) / steps_per_epoch
        result.targets += [
            Target(name=name, figure=with_epoch, limit=LIMIT),
            Target(
                name=f"digests and ledger, share of a bare step, {size_px} px",
                figure=per_step / bare_s,
                limit=LEDGER_LIMIT,
            ),
            Target(
                name=f"checkpoint, share of an epoch, {size_px} px",
                figure=checkpoint / bare_s,
                limit=CHECKPOINT_LIMIT,
            ),
        ]


def show_parts(times: StepTimes, size_px: int, steps_per_epoch: int, bare_s: float) -> Table:
    """Return where cxr's time goes: the median of each part, and its share of a bare step."""
    per_step = {name: statistics.median(times.parts[name]) for name in (_LOADER, *_STEP_PARTS)}
    per_epoch = {name: statistics.median(times.parts[name]) for name in _EPOCH_PARTS}
    per_epoch[_FIRST_BATCH] = statistics.median(times.parts[_FIRST_BATCH])
    per_step["all of these, each step"] = sum(per_step.values())
    rows = [
        (name, format_ms(found), f"{found / bare_s:.2%}") for name, found in per_step.items()
    ] + [
        (
            f"{name}, once an epoch",
            format_ms(found),
            f"{found / steps_per_epoch / bare_s:.2%}",
        )
        for name, found in per_epoch.items()
    ]
    title = f"Where cxr's time goes at {size_px} px"
    return Table(title=title, header=("part", "median", "of a bare step"), rows=rows)


def add_fill_memory(result: Result, filled: Rounds, unfilled: Rounds, size_px: int) -> None:
    """Add the cost of memory filling at one image size to the result."""
    ratio = fastest(filled) / fastest(unfilled)
    result.figures[f"{size_px} px"] |= {
        "filled_s": filled,
        "unfilled_s": unfilled,
        "ratio_of_filled": ratio,
    }
    rows = [
        ("false", format_ms(fastest(unfilled)), "1.000", "1.000"),
        (
            "true",
            format_ms(fastest(filled)),
            f"{ratio:.3f}",
            f"{median_ratio(filled, unfilled):.3f}",
        ),
    ]
    header = ("fill_memory", "step", "ratio", "median of paired ratios")
    title = f"Filling fresh memory in the bare loop at {size_px} px"
    result.tables.append(Table(title=title, header=header, rows=rows))


def add_doubling(result: Result, doubled: Rounds, single: Rounds, size_px: int) -> None:
    """Add the cost of running a step twice, and of doing so at the default cadence."""
    from cxr.config.schema import TrainConfig

    every = TrainConfig.model_fields["double_every"].default
    ratio = fastest(doubled) / fastest(single)
    result.figures[f"{size_px} px"] |= {
        "doubled_s": doubled,
        "single_s": single,
        "ratio_of_doubled": ratio,
    }
    rows = [
        ("0", format_ms(fastest(single)), "1.000"),
        ("1", format_ms(fastest(doubled)), f"{ratio:.3f}"),
        (f"{every} (default)", "", f"{1 + (ratio - 1) / every:.4f}"),
    ]
    header = ("double_every", "step", "ratio")
    title = f"Steps that are run twice at {size_px} px"
    result.tables.append(Table(title=title, header=header, rows=rows))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What cxr adds to a training step.")
    parser.add_argument("--image-size", type=int, nargs="+", default=[224, 64], metavar="PX")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5, help="runs at each image size")
    parser.add_argument("--steps", type=int, default=8, help="steps measured in a round")
    parser.add_argument(
        "--steps-per-epoch", type=int, default=163, help="default: 5,216 images in batches of 32"
    )
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2, help="threads that prepare batches")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure")
    return parser.parse_args()


if __name__ == "__main__":
    main()
