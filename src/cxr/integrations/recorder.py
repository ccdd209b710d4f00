"""Recording a training loop that cxr does not own: the same directory, the same ledger.

The loop calls the recorder where things happen; `cxr.integrations.lightning` and
`cxr.integrations.transformers` do so from the hooks of these frameworks.
"""

from __future__ import annotations

import atexit
import contextlib
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import torch
from torch import nn

from cxr.config.record_name import require_record_name
from cxr.determinism.controls import ControlPlan, find_untaken, read_controls
from cxr.determinism.levels import Level
from cxr.determinism.seeding import seed_everything
from cxr.digests.canonical import digest_json
from cxr.digests.tensors import digest_weights
from cxr.environment.capture import capture_environment
from cxr.environment.checkout import capture_checkout
from cxr.errors import StorageError, UsageError
from cxr.integrations.hyperparameters import flatten_hyperparameters
from cxr.integrations.one_process import require_one
from cxr.integrations.step_parts import StepParts
from cxr.records.free_place import create_directory, create_named, require_free
from cxr.records.ledger import INITIAL_STEP, LedgerWriter
from cxr.records.loop_record import LoopRecord
from cxr.records.run_directory import hold_lock, name_run
from cxr.training.trace import trace_buffers, trace_parameters

_UNKNOWN_SAMPLES: Final = "which samples a batch holds is not known, only how many"


class RunRecorder:
    """Writes the record of one training, from its first weights to its last.

    Used as a context manager, or closed by `complete` and `stop`. One that is never closed is
    sealed when the interpreter ends: as ``interrupted`` after Ctrl-C, else as ``failed``.

    Args:
        out: The directory to write; by default one below ``runs/`` named after ``name``.
        name: Of the record.
        config: Hyperparameters, nested as you like; kept flat, by dotted name.
        seed: Given to `cxr.seed_everything` at once; None leaves every generator as it is.
        framework: ``name`` and ``version`` of whose loop it is.
        tensors_every: Steps from one whose tensors go into ``tensors.bin`` to the next.

    Raises:
        RunDirectoryTakenError: Something already stands at ``out``.
        UsageError: The seed is out of range, or ``name`` is none.
    """

    def __init__(
        self,
        *,
        out: Path | str | None = None,
        name: str = "loop",
        config: Mapping[str, Any] | None = None,
        seed: int | None = None,
        framework: Mapping[str, str] | None = None,
        tensors_every: int = 1,
    ) -> None:
        require_record_name(name, where="name of the recorder")
        self._out = Path(out) if out is not None else None
        if self._out is not None:
            require_free(self._out)
        self._name, self._seed = name, seed
        self._config = dict(config or {})
        self._framework = framework or {"name": "torch", "version": torch.__version__}
        self._tensors_every = tensors_every
        self._held = contextlib.ExitStack()
        self._record: LoopRecord | None = None
        self._not_recorded: dict[str, str] = {}
        self._metrics: dict[str, float | None] = {}
        if seed is not None:
            seed_everything(seed)

    def __enter__(self) -> Self:
        """Return the recorder; the record begins with `begin`."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Seal the record: ``completed``, or as the error that ends the block says."""
        if self.is_open:
            self.complete() if error is None else self.stop(error)

    @property
    def is_open(self) -> bool:
        """Whether the record has begun and is not sealed yet."""
        return self._record is not None and self._record.manifest["status"] == "running"

    @property
    def directory(self) -> Path:
        """The record's directory.

        Raises:
            UsageError: It has not begun.
        """
        return self._begun().directory

    def begin(
        self,
        network: nn.Module,
        *optimizers: torch.optim.Optimizer,
        config: Mapping[str, Any] | None = None,
        first_step: int = 0,
    ) -> None:
        """Write what goes in, and the state that training starts from.

        Args:
            network: Whose parameters, buffers and gradients are digested.
            optimizers: Over its parameters.
            config: Hyperparameters besides those given at first.
            first_step: The step that follows; other than 0 where a training goes on.

        Raises:
            UsageError: It has begun already, or several processes train together.
            StorageError: The record cannot be written.
        """
        if self._record is not None:
            raise UsageError(
                "one recorder records one training",
                where="RunRecorder.begin",
                hint="make another recorder, with another directory",
            )
        _require_one_process()
        self._network, self._optimizers = network, optimizers
        self._step = first_step
        flat = flatten_hyperparameters({**self._config, **(config or {})})
        if self._out is None:
            self._out = create_named(name_run(self._name, digest_json(flat), datetime.now(UTC)))
        else:
            create_directory(self._out)
        self._held.enter_context(hold_lock(self._out))
        controls = read_controls()
        self._record = LoopRecord(directory=self._out)
        self._record.begin(
            name=self._name,
            framework=self._framework,
            config=flat,
            seed=self._seed,
            environment=capture_environment(),
            checkout=capture_checkout(_find_program_directory()),
            controls=controls,
            unlike_strict=find_untaken(_plan_as_found(controls), controls),
            not_recorded=self._not_recorded,
        )
        writer = LedgerWriter(self._out, tensors_every=self._tensors_every)
        self._ledger = self._held.enter_context(writer)
        # Without the generators: a loader with workers may have drawn ahead of the first step.
        initial = {"buffers": trace_buffers(network), "parameters": trace_parameters(network)}
        self._ledger.append(INITIAL_STEP, INITIAL_STEP, initial)
        atexit.register(self._seal_at_exit)

    def start_step(self) -> None:
        """Note the generators' states; call it when the batch is there and nothing is computed."""
        self._begun()
        self._parts = StepParts()
        self._parts.note_generators()

    def add_batch(self, batch: Any, *, indices: list[int] | None = None) -> None:
        """Note what the step computes on; again for each batch whose gradients are added up.

        Args:
            batch: Tensors, arrays, numbers and texts, in mappings, sequences and dataclasses.
            indices: Which samples it holds, in order; None where that is not known.
        """
        self._parts.add_batch(batch, indices)
        if indices is None:
            self._not_recorded.setdefault("samples", _UNKNOWN_SAMPLES)
        for kind in self._parts.unknown:
            self._not_recorded.setdefault("batch", f"no digest is taken of objects such as {kind}")

    def add_loss(self, loss: torch.Tensor | float) -> None:
        """Note the loss of a batch."""
        self._parts.add_loss(loss)

    def note_gradients(self, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Note buffers, gradients and learning rates; call it before each update of weights.

        Args:
            optimizer: The one that is about to step; None: all of them.
        """
        stepping = self._optimizers if optimizer is None else (optimizer,)
        self._parts.note_gradients(self._network, stepping)

    def end_step(self, epoch: int) -> None:
        """Write the step's line; call it when the weights are updated.

        Args:
            epoch: Zero-based epoch.

        Raises:
            StorageError: It cannot be written.
        """
        parts = self._parts.finish(self._network, self._optimizers)
        if "loss" not in parts:
            self._not_recorded.setdefault("loss", "the framework does not show it")
        self._ledger.append(self._step, epoch, parts)
        self._step += 1

    def note_absent(self, part: str, why: str) -> None:
        """Say in the manifest that something is not recorded, and why."""
        self._not_recorded[part] = why

    def note_metrics(self, figures: Mapping[str, float | None]) -> None:
        """Keep figures for the manifest; a later one of the same name takes its place."""
        plain = flatten_hyperparameters(figures)
        self._metrics |= {
            name: None if value is None or isinstance(value, str) else float(value)
            for name, value in plain.items()
        }

    def complete(self) -> None:
        """Seal the record of a training that came to its end.

        Raises:
            StorageError: It cannot be written.
        """
        weights = dict(self._network.state_dict())
        tensors = {name: value for name, value in weights.items() if torch.is_tensor(value)}
        self._end("completed", None, {"weights_digest": digest_weights(tensors)})

    def stop(self, error: BaseException | None, *, interrupted: bool = False) -> None:
        """Seal the record of a training that ended early; nothing where it never began.

        Args:
            error: What ended it, if that is known.
            interrupted: Whether somebody asked for it, as Ctrl-C always does.

        Raises:
            StorageError: It cannot be written.
        """
        if self.is_open:
            asked = interrupted or isinstance(error, KeyboardInterrupt)
            self._end("interrupted" if asked else "failed", error, None)

    def _end(self, status: str, error: BaseException | None, outcome: Any) -> None:
        record = self._begun()
        atexit.unregister(self._seal_at_exit)
        try:
            with contextlib.suppress(StorageError):
                self._ledger.flush()
            record.end(
                status,
                error,
                trace=self._ledger.describe_trace(),
                outcome=outcome,
                metrics=self._metrics,
                not_recorded=self._not_recorded,
            )
        finally:
            self._held.close()

    def _seal_at_exit(self) -> None:
        """Seal a record that nobody closed, by the error that ended the program."""
        self.stop(getattr(sys, "last_value", None))

    def _begun(self) -> LoopRecord:
        if self._record is None:
            raise UsageError(
                "the record has not begun",
                where="RunRecorder",
                hint="call begin(network, optimizer) before the first step",
            )
        return self._record


def _require_one_process() -> None:
    distributed: Any = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        require_one(
            distributed.get_world_size(),
            where="torch.distributed",
            hint="train in one process to record it",
        )


def _plan_as_found(controls: Mapping[str, Any]) -> ControlPlan:
    """Return what ``strict`` would ask for with the threads and the filling that there are."""
    return ControlPlan(
        level=Level.STRICT,
        threads=int(controls["torch.num_threads"] or 1),
        fill_memory=bool(controls["torch.fill_uninitialized_memory"]),
    )


def _find_program_directory() -> Path:
    """Return where the program's own file lies; the working directory of one that has none."""
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(program).resolve().parent if program else Path.cwd()
