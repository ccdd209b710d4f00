"""What a recipe and its data must have in common before the first step."""

from __future__ import annotations

from cxr.config.schema import RunConfig
from cxr.data.dataset import Dataset
from cxr.errors import ConfigError, DataError


def require_enough_samples(config: RunConfig, dataset: Dataset) -> None:
    """Refuse splits that are too small for what the recipe does with them.

    Raises:
        ConfigError: The batch is larger than the training split.
        DataError: A split that is needed is empty, or lacks a class.
    """
    lock, where = dataset.lock, config.data.root or config.data.source
    if dataset.has_several_labels and not config.train.asks_each_label:
        raise ConfigError(
            "some images have none or several of the classes, and cross_entropy takes one",
            where=f"train.loss, {where}",
            hint="set train.loss: bce, which asks for each label by itself",
        )
    num_train = len(lock.of_split("train"))
    if absent := [name for name, count in lock.count_labels("train").items() if not count]:
        raise DataError(
            f"no training sample of the class {' and '.join(absent)}",
            where=where,
            hint="add some, or leave the class out",
        )
    if num_train < config.train.batch_size:
        raise ConfigError(
            f"{num_train} training samples are fewer than a batch of {config.train.batch_size}",
            where=f"train.batch_size, {where}",
            hint=f"set train.batch_size to {num_train} or less, or add images",
        )
    if not lock.of_split(config.evaluate.split):
        raise DataError(
            f"no images in the split {config.evaluate.split}, which is to be evaluated",
            where=where,
            hint="add images, or choose another evaluate.split",
        )
    chooses = config.train.keep_weights == "best" or config.train.patience is not None
    empty = [name for name, count in lock.count_labels("val").items() if not count]
    if config.train.asks_each_label and len(empty) < len(lock.classes):
        # Figures are means over the labels where they are defined; a rare one may be absent.
        empty = []
    if chooses and empty:
        raise DataError(
            f"validation has no image of {' and '.join(empty)}, and weights are chosen by it",
            where=where,
            hint="set data.validation_fraction, or train.keep_weights: last without patience",
        )
