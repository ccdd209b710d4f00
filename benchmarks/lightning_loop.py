"""The other side of ``epoch_time.py``: an epoch as Lightning and torchvision users train it."""

from __future__ import annotations

import logging
import time
import warnings
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import (
    ColorJitter,
    Compose,
    Grayscale,
    Normalize,
    RandomCrop,
    RandomHorizontalFlip,
    Resize,
    ToTensor,
)

from cxr.config.schema import RunConfig
from cxr.determinism.levels import Level
from cxr.training.optimizer import build_optimizer

Batch = tuple[torch.Tensor, torch.Tensor]


class Classifier(lightning.LightningModule):
    """A network with the loss and the optimizer of a recipe."""

    def __init__(self, network: nn.Module, config: RunConfig) -> None:
        super().__init__()
        self.network = network
        self.train_config = config.train

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        """Return the loss of a batch."""
        images_BCHW, labels = batch  # noqa: N806 - the suffix names the axes
        loss = cross_entropy(self.network(images_BCHW), labels)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Keep the loss and the accuracy of a batch."""
        images_BCHW, labels = batch  # noqa: N806 - the suffix names the axes
        logits = self.network(images_BCHW)
        self.log("val_loss", cross_entropy(logits, labels))
        self.log("val_accuracy", (logits.argmax(1) == labels).float().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return the recipe's optimizer, built as cxr builds it."""
        return build_optimizer(self.network, self.train_config, level=Level.STRICT)


class EpochClock(lightning.Callback):
    """Measures the one epoch of a fit, validation and checkpoint included."""

    def __init__(self) -> None:
        self._start = 0.0
        self.epoch_s = 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        """Start; the loader's iterator is made after this."""
        self._start = time.perf_counter()

    def on_train_end(self, *_: Any) -> None:
        """Stop; the checkpoint is written by now."""
        self.epoch_s = time.perf_counter() - self._start


def time_epoch(
    config: RunConfig, network: nn.Module, scratch: Path, *, deterministic: bool
) -> tuple[float, float]:
    """Fit for one epoch.

    Args:
        config: The recipe.
        network: Freshly initialised.
        scratch: Where the checkpoint goes.
        deterministic: Whether torch keeps to deterministic kernels.

    Returns:
        Seconds of the epoch, and of the whole fit.
    """
    _be_quiet()
    torch.use_deterministic_algorithms(deterministic)
    clock = EpochClock()
    start = time.perf_counter()
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        deterministic=deterministic,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=scratch,
        callbacks=[clock],
    )
    trainer.fit(
        Classifier(network, config),
        make_loader(config, "train", changes=make_changes(config)),
        make_loader(config, "val", changes=[]),
    )
    return clock.epoch_s, time.perf_counter() - start


def make_loader(config: RunConfig, split: str, *, changes: list[Any]) -> DataLoader[Any]:
    """Return a loader over a folder that decodes and resizes images each time."""
    data = config.data
    size_px = (data.image_size, data.image_size)
    steps = [Grayscale(data.channels), Resize(size_px), *changes]
    transform = Compose([*steps, ToTensor(), Normalize([data.mean], [data.std])])
    trains = split == "train"
    return DataLoader(
        ImageFolder(str(Path(data.root or "") / split), transform),
        batch_size=config.train.batch_size if trains else config.evaluate.batch_size,
        shuffle=trains,
        drop_last=trains,
        num_workers=config.workers,
    )


def make_changes(config: RunConfig) -> list[Any]:
    """Return the recipe's augmentation as torchvision has it."""
    augment = config.train.augment
    return [
        RandomCrop(config.data.image_size, padding=augment.pad),
        RandomHorizontalFlip(),
        ColorJitter(brightness=augment.brightness, contrast=augment.contrast),
    ]


def _be_quiet() -> None:
    """Let Lightning keep its advice to itself."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
