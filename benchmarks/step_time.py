"""What cxr adds to a training step, against a bare PyTorch loop over the same batches.

Compared: whole runs through ``cxr.training.run.train``, as ``cxr train`` makes them (loader,
digests, ledger, figures and checkpoints on), and a plain loop with the same ResNet-18, AdamW,
prepared tensors, threads and determinism switches. The loops take turns step by step: whenever cxr
reports a step as done, its clock stops and the bare loop takes a step. Both start from the same
weights, and the result says whether they also end in the same bits. A round is one run, and a
loop's step time in a round is the mean over its steps. The ratio is that of the smallest such
times; what cxr does once an epoch (checkpoint, copy of the weights, figures) is spread over
``--steps-per-epoch`` steps and counts against the target. Validation does not count: the bare loop
has none.

A second table says where the time goes, part by part, measured in the same steps. A third compares
bare steps with and without torch filling fresh memory (``fill_memory`` in a recipe).

    uv run --group bench python benchmarks/step_time.py
    uv run --group bench python benchmarks/step_time.py --image-size 64 --rounds 9 --json step.json
"""

from __future__ import annotations

import argparse
import functools
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

from cxr.determinism.environment import reexecute_prepared, set_variables
from result import Result, Table, Target, format_ms

LIMIT: Final = 1.03

_WARM_UP_STEPS: Final = 2
_NUM_EVALUATED: Final = 8
# Where each part of cxr's step is called, by the name that the caller knows it under.
_PARTS: Final = {
    "digests: samples": "cxr.training.step.trace_samples",
    "digests: batch": "cxr.training.step.trace_batch",
    "digests: generators": "cxr.training.step.trace_generators",
    "digests: buffers": "cxr.training.step.trace_buffers",
    "digests: gradients": "cxr.training.step.trace_gradients",
    "digests: optimizer": "cxr.training.step.trace_optimizer",
    "digests: parameters": "cxr.training.step.trace_parameters",
    "seeding generators": "cxr.training.step.seed_global_generators",
    "ledger write": "cxr.training.loop.LedgerWriter.append",
}
_EPOCH_PARTS: Final = {
    "checkpoint": "cxr.training.loop.write_checkpoint",
    "copy of the weights": "cxr.training.loop.copy_weights",
    "figures of the epoch": "cxr.training.loop.RunRecord.append_metrics",
}
_LOADER: Final = "waiting for a batch"


@dataclass(slots=True, kw_only=True)
class Clocks:
    """What was measured at one image size, in seconds.

    Attributes:
        cxr: By round, the time of each step.
        bare: The same of the bare loop.
        parts: By part of cxr's step or epoch, the time of each call.
        same_bits: By round, whether both loops ended with the same weights.
    """

    cxr: list[list[float]] = field(default_factory=list)
    bare: list[list[float]] = field(default_factory=list)
    parts: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    same_bits: list[bool] = field(default_factory=list)


def main() -> None:
    """Measure each image size; the target is judged by the first."""
    options = _parse()
    reexecute_prepared(sys.orig_argv)
    set_variables(threads=options.threads)
    settings = {name: value for name, value in vars(options).items() if name != "json"}
    result = Result(benchmark="step_time", settings=settings)
    for size_px in options.image_size:
        with tempfile.TemporaryDirectory() as scratch:
            clocks = measure_steps(options, size_px, Path(scratch))
            filled = measure_fill_memory(options, size_px, Path(scratch))
        add_to_result(result, options, size_px, clocks, filled)
    result.show(options.json)


def measure_steps(options: argparse.Namespace, size_px: int, scratch: Path) -> Clocks:
    """Run both loops, round by round, over drawn radiographs.

    Args:
        options: The command line's.
        size_px: Height and width of the images.
        scratch: An empty directory.
    """
    from cxr.data.radiographs import SynthPlan, write_dataset
    from cxr.training.run import train

    num_train = options.batch_size * (options.steps + _WARM_UP_STEPS)
    plan = SynthPlan(size_px=size_px, train=num_train, val=_NUM_EVALUATED, test=_NUM_EVALUATED)
    write_dataset(scratch / "images", plan)
    clocks = Clocks()
    with timed_parts(clocks.parts):
        for number in range(options.rounds):
            bare = BareLoop(options, size_px, scratch)
            progress = TakingTurns(bare)
            train(bare.config, out=scratch / f"run-{number}", progress=progress)
            clocks.cxr.append(progress.cxr[_WARM_UP_STEPS:])
            clocks.bare.append(progress.bare[_WARM_UP_STEPS:])
            clocks.same_bits.append(bare.has_weights_of(scratch / f"run-{number}"))
    return clocks


class BareLoop:
    """The loop that anybody would write, over batches that are already in memory."""

    def __init__(self, options: argparse.Namespace, size_px: int, scratch: Path) -> None:
        from cxr.data.dataset import load_dataset
        from cxr.determinism.controls import ControlPlan, set_controls
        from cxr.models.build import build_network
        from cxr.training.batches import iterate_batches
        from cxr.training.optimizer import build_optimizer

        self.config = config = make_config(options, size_px, scratch)
        set_controls(
            ControlPlan(level=config.determinism, threads=config.threads, fill_memory=True)
        )
        dataset = load_dataset(config.data)
        self.network = build_network(config, num_classes=len(config.data.classes))
        self.network.train()
        self.optimizer = build_optimizer(self.network, config.train)
        self.batches = [
            (batch.images_BCHW, batch.labels)
            for batch in iterate_batches(config, dataset.split("train"), 0)
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
    """Listens to a run's progress and lets the bare loop take a step after each of its steps."""

    def __init__(self, bare: BareLoop) -> None:
        self._loop = bare
        self._resumed: float | None = None
        self.cxr: list[float] = []
        self.bare: list[float] = []

    def advance(self, what: str, done: int, total: int) -> None:
        """Stop cxr's clock, take a bare step, and start cxr's clock again."""
        stopped = time.perf_counter()
        if not what.startswith("epoch "):
            return
        # The first step's clock would have started with the run: it only warms up.
        self.cxr.append(stopped - (self._resumed or stopped))
        start = time.perf_counter()
        self._loop.step(done - 1)
        self.bare.append(time.perf_counter() - start)
        self._resumed = time.perf_counter()

    def note(self, text: str) -> None:
        """Hear a line about an epoch, and say nothing."""


@contextmanager
def timed_parts(parts: defaultdict[str, list[float]]) -> Iterator[None]:
    """Time the functions that a step or an epoch of cxr calls, while the block runs."""
    from cxr.training import loop

    def iterate_timed(*arguments: Any) -> Iterator[Any]:
        batches = iterate_batches(*arguments)
        following = timed(batches.__next__, parts[_LOADER])
        while True:
            try:
                batch = following()
            except StopIteration:
                return
            yield batch

    iterate_batches = loop.iterate_batches
    with ExitStack() as stack:
        for name, target in (_PARTS | _EPOCH_PARTS).items():
            owner, _, attribute = target.rpartition(".")
            function = getattr(_import(owner), attribute)
            stack.enter_context(mock.patch(target, timed(function, parts[name])))
        stack.enter_context(mock.patch("cxr.training.loop.iterate_batches", iterate_timed))
        yield


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


def _import(dotted: str) -> Any:
    """Return the module or class of a dotted name."""
    import pkgutil

    return pkgutil.resolve_name(dotted)
