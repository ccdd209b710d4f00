"""A callback that records a training of the Hugging Face Trainer.

``Trainer(..., callbacks=[callback])``. Its callbacks are not told of errors: put ``train()`` into
``with callback:``, or the record is sealed as failed only when the program ends.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from cxr.errors import InstallationError
from cxr.integrations.drawn_samples import DrawnSamples
from cxr.integrations.loop_settings import describe_loader, describe_optimizers
from cxr.integrations.one_process import require_one
from cxr.integrations.recorder import RunRecorder

_PLACES: Final = ("output_dir", "logging_dir", "run_name", "hub_model_id")
"""Arguments that name this training or a place, and that no bit depends on."""

_TOLD_BY_LOADER: Final = "dataloader_"
"""How arguments begin that the loader itself is asked for."""

_TIMINGS: Final = ("runtime", "per_second")
"""In the names of logged figures that are another one each time."""

_ROUNDING: Final = 1e-6  # an epoch is told as a sum of fractions


def _import_trainer_callback() -> Any:
    """Return the class that callbacks of the Trainer derive from.

    Raises:
        InstallationError: transformers is not installed.
    """
    try:
        return importlib.import_module("transformers").TrainerCallback
    except ModuleNotFoundError as error:
        raise InstallationError(
            f"transformers cannot be imported: there is no {error.name}",
            where="cxr.integrations.transformers",
            hint="install the extra: pip install 'cxr[transformers]'",
        ) from error


_Callback: Any = _import_trainer_callback()


class CxrCallback(_Callback):  # type: ignore[misc]
    """Leaves the record of one ``train``: what went in, a ledger line a step, what came out.

    A step is an update of the weights: batches whose gradients are added up are one step. The
    batch is what the network is called with, in whatever process it was loaded; the gradients are
    those after clipping.

    Args:
        out: The directory to write; by default one below ``runs/`` named after ``name``.
        name: Of the record.
        config: Hyperparameters besides the training arguments and the network's own config.
        seed: Given to `cxr.seed_everything` now; the Trainer seeds again, from its own arguments.
        tensors_every: Steps from one whose tensors can be told apart to the next.

    Raises:
        RunDirectoryTakenError: Something already stands at ``out``.
    """

    def __init__(
        self,
        out: Path | str | None = None,
        *,
        name: str = "transformers",
        config: Mapping[str, Any] | None = None,
        seed: int | None = None,
        tensors_every: int = 1,
    ) -> None:
        super().__init__()
        version = importlib.import_module("transformers").__version__
        self.recorder = RunRecorder(
            out=out,
            name=name,
            config=config,
            seed=seed,
            framework={"name": "transformers", "version": str(version)},
            tensors_every=tensors_every,
        )
        self._drawn: DrawnSamples | None = None
        self._hooks: list[Any] = []
        self._awaits_batch = False

    def __enter__(self) -> Self:
        """Return the callback."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Seal the record of a training that failed or was interrupted."""
        self._remove_hooks()
        self.recorder.stop(error)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin the record: network and optimizer are there, no step has been taken."""
        del control
        for number, what in ((args.world_size, "processes"), (args.n_gpu, "devices")):
            require_one(
                number, what, where="TrainingArguments", hint="train on one device to record it"
            )
        network, loader = kwargs["model"], kwargs["train_dataloader"]
        self._drawn = DrawnSamples(loader)
        if self._drawn.reason is not None:
            why = f"only how many each batch holds: {self._drawn.reason}"
            self.recorder.note_absent("samples", why)
        self.recorder.begin(
            network,
            kwargs["optimizer"],
            config=_describe(args, network, loader, kwargs["optimizer"]),
            first_step=state.global_step,
        )
        self._hooks = [
            network.register_forward_pre_hook(self._note_batch, with_kwargs=True),
            network.register_forward_hook(self._note_loss, with_kwargs=True),
        ]

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note the generators' states: all batches of the step are there."""
        del args, state, control, kwargs
        self.recorder.start_step()
        self._awaits_batch = True

    def on_substep_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Wait for the next batch whose gradients are added."""
        del args, state, control, kwargs
        self._awaits_batch = True

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Note gradients, clipped if they are."""
        del args, state, control
        self.recorder.note_gradients(kwargs["optimizer"])

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write the step: weights are updated, gradients not yet gone."""
        del args, control, kwargs
        self.recorder.end_step(int(state.epoch + _ROUNDING))

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Keep the figures that are logged, times left out."""
        del args, state, control
        if self.recorder.is_open:
            self.recorder.note_metrics(
                {
                    name: value
                    for name, value in (kwargs.get("logs") or {}).items()
                    if not any(timing in name for timing in _TIMINGS)
                }
            )

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Seal the record of a training that came to its end."""
        del args, state, control, kwargs
        self._remove_hooks()
        self.recorder.complete()

    def _note_batch(self, network: Any, args: Any, kwargs: Any) -> None:
        """Note what the network is called with, the first time for each batch."""
        if not (self._awaits_batch and network.training):
            return
        batch = {**{str(place): value for place, value in enumerate(args)}, **kwargs}
        drawn = self._drawn.take_batch() if self._drawn is not None else None
        self.recorder.add_batch(batch, indices=drawn)

    def _note_loss(self, network: Any, args: Any, kwargs: Any, output: Any) -> None:
        """Note the loss that the network computes; one computed elsewhere is not seen."""
        del args
        if not (self._awaits_batch and network.training):
            return
        self._awaits_batch = False
        loss = output.get("loss") if isinstance(output, Mapping) else None
        if loss is None and isinstance(output, tuple) and "labels" in kwargs:
            loss = output[0]
        if loss is not None:
            self.recorder.add_loss(loss)

    def _remove_hooks(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks = []


def _describe(args: Any, network: Any, loader: Any, optimizer: Any) -> dict[str, Any]:
    """Return the training arguments and the settings of network, loader and optimizer."""
    settings = {
        name: value
        for name, value in args.to_dict().items()
        if name not in _PLACES and not name.startswith(_TOLD_BY_LOADER)
    }
    own: Any = getattr(network, "config", None)
    model = own.to_dict() if hasattr(own, "to_dict") else {}
    return {
        "trainer": settings,
        "model": {name: value for name, value in model.items() if not name.startswith("_")},
        "loader": describe_loader(loader),
        # The one that accelerate wraps.
        "optimizer": describe_optimizers([getattr(optimizer, "optimizer", optimizer)]),
    }
