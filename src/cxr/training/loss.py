"""The loss of a batch, shard by shard, so that shares add up in order to one mean.

``cross_entropy`` takes one class an image; its mean is over the batch, weighted by class where the
recipe says so. ``bce`` asks for each label by itself; its mean is over the labels of the batch that
are known, and those that are not have no gradient. In a batch of which nothing is known the loss
and every gradient are 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch.nn import functional

from cxr.config.schema import RunConfig, TrainConfig
from cxr.errors import DataError
from cxr.records.data_lock import DataLock

_BINARY: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What a batch should have been called, on the device.

    Attributes:
        labels: Class indices, shape (B,), int64; or 1 and 0 for each label, shape (B, classes),
            float32.
        known: 1 where a label is known, else 0, shape (B, classes), float32; None for indices.
        weights: Of classes, or of the images that have a label against those that have not; shape
            (classes,), float32; None where all are equal.
        total: What the sum over the batch is divided by.
    """

    labels: torch.Tensor
    known: torch.Tensor | None
    weights: torch.Tensor | None
    total: torch.Tensor | float


def prepare_targets(
    labels: torch.Tensor, known: torch.Tensor | None, weights: torch.Tensor | None
) -> Targets:
    """Return a batch's targets and what its loss is divided by.

    Args:
        labels: As in `Targets`.
        known: Which labels are known, shape (B, classes), bool; None for indices.
        weights: As in `Targets`.
    """
    if known is None:
        total = weights[labels].sum() if weights is not None else float(len(labels))
        return Targets(labels=labels, known=None, weights=weights, total=total)
    # Of nothing that is known the sum is 0, and so is its mean.
    num_known = float(max(int(known.sum()), 1))
    return Targets(labels=labels, known=known.float(), weights=weights, total=num_known)


def derive_share(
    logits: torch.Tensor, targets: Targets, start: int, config: TrainConfig
) -> torch.Tensor:
    """Return a shard's share of the batch's mean loss.

    Args:
        logits: Of the shard's images, shape (b, classes), float32.
        targets: Of the whole batch.
        start: The shard's first image in the batch.
        config: How labels are smoothed: over all classes, or towards one half.
    """
    shard = slice(start, start + len(logits))
    if targets.known is None:
        summed = functional.cross_entropy(
            logits,
            targets.labels[shard],
            weight=targets.weights,
            label_smoothing=config.label_smoothing,
            reduction="sum",
        )
    else:
        wanted = targets.labels[shard]
        if config.label_smoothing:
            wanted = wanted * (1 - config.label_smoothing) + config.label_smoothing / _BINARY
        summed = functional.binary_cross_entropy_with_logits(
            logits,
            wanted,
            weight=targets.known[shard],
            pos_weight=targets.weights,
            reduction="sum",
        )
    return summed / targets.total


def derive_class_weights(config: RunConfig, lock: DataLock) -> torch.Tensor | None:
    """Return the loss's weights, shape (classes,), float32; None where all are equal.

    Under ``cross_entropy`` they are of classes; ``balanced`` is images / (classes x images of the
    class), as in scikit-learn. Under ``bce`` they are of the images that have a label;
    ``balanced`` is those known to lack it / those that have it, so that both weigh the same.

    Raises:
        DataError: A class has no images to balance, or under ``bce`` none that lacks it.
    """
    given = config.train.class_weights
    if given == "none":
        return None
    if isinstance(given, tuple):
        return torch.tensor(given, dtype=torch.float32)
    counts = lock.count_answers("train")
    _require_samples([name for name, (has, _) in counts.items() if not has], "of")
    if config.train.asks_each_label:
        _require_samples([name for name, (_, lacks) in counts.items() if not lacks], "without")
        weights = [lacks / has for has, lacks in counts.values()]
    else:
        total = sum(has for has, _ in counts.values())
        weights = [total / (len(counts) * has) for has, _ in counts.values()]
    return torch.tensor(weights, dtype=torch.float32)


def _require_samples(absent: list[str], which: str) -> None:
    if absent:
        raise DataError(
            f"no training sample {which} the class {' and '.join(absent)}",
            where="train.class_weights: balanced",
            hint="add some, or leave the class out",
        )
