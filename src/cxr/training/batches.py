"""Training batches: a pure function of seed, epoch and position, whoever prepares them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from cxr.config.schema import RunConfig
from cxr.data.dataset import Split
from cxr.data.normalise import derive_pixel_table
from cxr.data.order import derive_epoch_batches
from cxr.data.prefetch import prefetch
from cxr.training.augment import augment_images


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one step sees.

    Attributes:
        step: Zero-based global step.
        epoch: Zero-based epoch.
        indices: The samples' indices in the training split, shape (B,), int64.
        images_BCHW: Shape (B, channels, height, width), float32, on the CPU.
        labels: Class indices, shape (B,), int64, on the CPU. Where each label is asked for by
            itself: 1 for one that an image has, else 0; shape (B, classes), float32.
        known: Which of these are known, shape (B, classes), bool; else None.
    """

    step: int
    epoch: int
    indices: NDArray[np.int64]
    images_BCHW: torch.Tensor  # noqa: N815 - the suffix names the axes
    labels: torch.Tensor
    known: torch.Tensor | None = None


def iterate_batches(config: RunConfig, split: Split, epoch: int) -> Iterator[Batch]:
    """Yield an epoch's batches in order.

    Args:
        config: The recipe.
        split: The training split, of at least one batch.
        epoch: Zero-based epoch.
    """
    size = config.train.batch_size
    root = config.find_root("order")
    order = derive_epoch_batches(root, epoch, num_samples=len(split), batch_size=size)
    table = derive_pixel_table(config.data.mean, config.data.std)
    labels, known = split.labels, split.known
    if config.train.asks_each_label:
        labels, known = split.derive_answers()

    def prepare(position: int) -> Batch:
        indices = order[position]
        images = augment_images(
            split.images_NHWC[indices],
            table,
            config.train.augment,
            seed=config.find_root("augment"),
            epoch=epoch,
            indices=indices,
        )
        return Batch(
            step=epoch * len(order) + position,
            epoch=epoch,
            indices=indices,
            images_BCHW=torch.from_numpy(images),
            labels=torch.from_numpy(labels[indices]),
            known=torch.from_numpy(known[indices]) if known is not None else None,
        )

    return prefetch(prepare, range(len(order)), workers=config.workers)
