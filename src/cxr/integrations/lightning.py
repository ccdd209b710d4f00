"""A callback that records a training of Lightning: ``Trainer(callbacks=[CxrCallback()])``.

It is of `lightning`, or of `pytorch_lightning` where that is the one imported.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cxr.errors import InstallationError
from cxr.integrations.drawn_samples import DrawnSamples
from cxr.integrations.loop_settings import describe_loader, describe_optimizers
from cxr.integrations.one_process import require_one
from cxr.integrations.recorder import RunRecorder

_PACKAGES: Final = {"lightning": "lightning.pytorch", "pytorch_lightning": "pytorch_lightning"}
"""Names that Lightning is installed under, and where its classes lie."""

_TRAINER_FIELDS: Final = (
    "accumulate_grad_batches",
    "check_val_every_n_epoch",
    "gradient_clip_algorithm",
    "gradient_clip_val",
    "limit_train_batches",
    "max_epochs",
    "max_steps",
    "overfit_batches",
    "precision",
    "reload_dataloaders_every_n_epochs",
)


def _find_package() -> str:
    """Return the name of the Lightning that is used: the one that is imported already.

    Raises:
        InstallationError: There is none.
    """
    for name in [*filter(sys.modules.__contains__, _PACKAGES), *_PACKAGES]:
        try:
            importlib.import_module(_PACKAGES[name])
        except ModuleNotFoundError as error:
            if error.name is None or error.name.partition(".")[0] != name:
                raise
            continue
        return name
    raise InstallationError(
        "Lightning is not installed",
        where="cxr.integrations.lightning",
        hint="install the extra: pip install 'cxr[lightning]'",
    )


_PACKAGE: Final = _find_package()
_Callback: Any = sys.modules[_PACKAGES[_PACKAGE]].Callback


class CxrCallback(_Callback):  # type: ignore[misc]
    """Leaves the record of one ``fit``: what went in, a ledger line a step, what came out.

    A step is an update of the weights: batches whose gradients are added up are one step. The
    gradients are those before clipping and, in mixed precision, after they are scaled back.

    Args:
        out: The directory to write; by default one below ``runs/`` named after ``name``.
        name: Of the record.
        config: Hyperparameters besides those that module, data module and trainer have.
        seed: Given to `cxr.seed_everything` now; None leaves every generator as it is.
        tensors_every: Steps from one whose tensors can be told apart to the next.

    Raises:
        RunDirectoryTakenError: Something already stands at ``out``.
    """

    def __init__(
        self,
        out: Path | str | None = None,
        *,
        name: str = "lightning",
        config: Mapping[str, Any] | None = None,
        seed: int | None = None,
        tensors_every: int = 1,
    ) -> None:
        super().__init__()
        version = getattr(sys.modules[_PACKAGE], "__version__", "unknown")
        self.recorder = RunRecorder(
            out=out,
            name=name,
            config=config,
            seed=seed,
            framework={"name": _PACKAGE, "version": str(version)},
            tensors_every=tensors_every,
        )
        self._drawn: list[tuple[Any, DrawnSamples]] = []
        self._stepping = self._updated = False

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Refuse what one record cannot tell of; look at loaders before they draw."""
        del pl_module
        if stage != "fit":
            return
        require_one(
            trainer.world_size,
            where=f"the strategy {type(trainer.strategy).__name__}",
            hint="train with devices=1 to record it",
        )
        process = trainer.strategy.process_dataloader

        def process_and_look(loader: Any) -> Any:
            found = process(loader)
            self._drawn.append((found, DrawnSamples(found)))
            return found

        # No hook stands between the making of a loader and its first draw.
        trainer.strategy.process_dataloader = process_and_look

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin the record: network and optimizers are there, no step has been taken."""
        drawn = self._find_drawn(trainer)
        if drawn is None or drawn.reason is not None:
            why = drawn.reason if drawn is not None else "there is no single data loader of torch's"
            self.recorder.note_absent("samples", f"only how many each batch holds: {why}")
        self.recorder.begin(
            pl_module,
            *trainer.optimizers,
            config=_describe(trainer, pl_module),
            first_step=trainer.global_step,
        )

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note the batch as it is on the device, transforms included."""
        del pl_module, batch_idx
        if not self._stepping:
            self.recorder.start_step()
            self._stepping = True
        drawn = self._find_drawn(trainer)
        self.recorder.add_batch(batch, indices=drawn.take_batch() if drawn is not None else None)

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Note gradients; of a manual loop with several optimizers, once for each."""
        del trainer, pl_module
        self.recorder.note_gradients(optimizer)
        self._updated = True

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note the loss; write the step where the weights were updated."""
        del pl_module, batch, batch_idx
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if loss is not None:
            self.recorder.add_loss(loss)
        if self._updated:
            self.recorder.end_step(trainer.current_epoch)
            self._stepping = self._updated = False

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Seal the record of a training that came to its end."""
        del pl_module
        self.recorder.note_metrics(
            {name: float(value) for name, value in trainer.callback_metrics.items()}
        )
        self.recorder.complete()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Seal the record of a training that failed or was interrupted."""
        del trainer, pl_module
        # Lightning's own, raised in answer to SIGTERM.
        asked = type(exception).__name__ == "SIGTERMException"
        self.recorder.stop(exception, interrupted=asked)

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Leave the strategy as it was."""
        del pl_module, stage
        vars(trainer.strategy).pop("process_dataloader", None)

    def _find_drawn(self, trainer: Any) -> DrawnSamples | None:
        """Return what the training's one loader draws; None of several, or of something else."""
        loader = trainer.train_dataloader
        return next((drawn for found, drawn in self._drawn if found is loader), None)


def _describe(trainer: Any, pl_module: Any) -> dict[str, Any]:
    """Return the hyperparameters of module, data module, trainer, loader and optimizers."""
    settings = {name: getattr(trainer, name) for name in _TRAINER_FIELDS if hasattr(trainer, name)}
    data = trainer.datamodule
    return {
        "hparams": dict(pl_module.hparams),
        **({"datamodule": dict(data.hparams)} if data is not None else {}),
        "trainer": {
            **settings,
            "strategy": type(trainer.strategy).__name__,
            "accelerator": type(trainer.accelerator).__name__,
            "automatic_optimization": pl_module.automatic_optimization,
            # What `seed_everything` of Lightning leaves. Source: its manual, "Reproducibility".
            "global_seed": os.environ.get("PL_GLOBAL_SEED"),
            "seed_workers": os.environ.get("PL_SEED_WORKERS"),
        },
        "loader": describe_loader(trainer.train_dataloader),
        "optimizer": describe_optimizers(trainer.optimizers),
    }
