"""Predicting a split: a forward pass over batches, probabilities in float64."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cxr.config.schema import RunConfig
from cxr.data.dataset import Split
from cxr.data.normalise import derive_pixel_table, normalise_images
from cxr.data.prefetch import prefetch
from cxr.determinism.seeding import seed_global_generators
from cxr.determinism.streams import derive_seed
from cxr.errors import TrainingError
from cxr.evaluation.elementary import PLATFORM, Elementary, choose_elementary
from cxr.evaluation.log_odds import sigmoid
from cxr.label_text import format_labels
from cxr.models.failures import explained_failures
from cxr.progress import SILENCE, Progress
from cxr.records.predictions import HALF, Prediction


def predict_split(
    network: nn.Module,
    split: Split,
    classes: tuple[str, ...],
    config: RunConfig,
    *,
    progress: Progress = SILENCE,
) -> list[Prediction]:
    """Predict every image of a split, in its order.

    The network is left in the mode that it was in, and the global generators do not matter to
    what follows: each training step seeds them anew.

    Args:
        network: On the config's device.
        split: The images.
        classes: Class names in label order.
        config: The recipe; batch size, precision and workers are read.
        progress: Told how far it is.

    Raises:
        TrainingError: The model cannot compute a batch, or a logit is not a finite number.
    """
    was_training = [module.training for module in network.modules()]
    network.eval()
    seed_global_generators(derive_seed(config.seed, "evaluation"))
    logits = _run(network, split, config, progress)
    for module, training in zip(network.modules(), was_training, strict=True):
        module.training = training
    return [
        describe_logits(path, text, row, classes, config)
        for path, text, row in zip(split.paths, split.label_texts, logits, strict=True)
    ]


def _run(
    network: nn.Module, split: Split, config: RunConfig, progress: Progress
) -> NDArray[np.float32]:
    """Return logits of shape (N, classes), float32."""
    size = config.evaluate.batch_size
    table = derive_pixel_table(config.data.mean, config.data.std)

    def prepare(start: int) -> torch.Tensor:
        return torch.from_numpy(normalise_images(split.images_NHWC[start : start + size], table))

    where = f"prediction of {split.name}"
    rows: list[NDArray[np.float32]] = []
    done = 0
    for images in prefetch(prepare, range(0, len(split), size), workers=config.workers):
        rows.append(compute_logits(network, images, config, where=where))
        done += len(images)
        progress.advance(f"predicting {split.name}", done, len(split))
    found = np.concatenate(rows)
    require_finite(found, where=where)
    return found


def compute_logits(
    network: nn.Module,
    images_BCHW: torch.Tensor,  # noqa: N803 - the suffix names the axes
    config: RunConfig,
    *,
    where: str,
) -> NDArray[np.float32]:
    """Return the logits of one batch, shape (B, classes), float32.

    Args:
        network: On the config's device, in evaluation mode.
        images_BCHW: Shape (B, channels, height, width), float32, on the CPU.
        config: The recipe; device and precision are read.
        where: What is being predicted, for an error.

    Raises:
        TrainingError: The model cannot compute the batch.
    """
    with torch.inference_mode():
        with explained_failures(where), autocast(config):
            logits = network(images_BCHW.to(config.device))
        found: NDArray[np.float32] = logits.float().cpu().numpy()
    return found


def require_finite(logits: NDArray[np.float32], *, where: str) -> None:
    """Refuse logits that are no numbers.

    Raises:
        TrainingError: One is infinite or NaN.
    """
    if not np.isfinite(logits).all():
        raise TrainingError(
            "the model's logits are not finite numbers",
            where=where,
            hint="lower train.lr, add train.warmup_epochs, or use precision: float32",
        )


def describe_logits(
    path: str, label: str, logits: NDArray[np.float32], classes: tuple[str, ...], config: RunConfig
) -> Prediction:
    """Return what a model says of one image: probabilities, and what is decided by them.

    Args:
        path: What records call the image.
        label: Its true label; empty where nobody knows it.
        logits: Of the image, shape (classes,), float32.
        classes: Class names in label order.
        config: The recipe; loss and level are read.
    """
    describe = _describe_each if config.train.asks_each_label else _describe_one
    return describe(path, label, logits, classes, choose_elementary(config.determinism))


def autocast(config: RunConfig) -> torch.autocast:
    """Return the context of the config's precision; at float32 it does nothing."""
    return torch.autocast(
        config.device, dtype=torch.bfloat16, enabled=config.train.precision == "bfloat16"
    )


def softmax(logits: NDArray[np.float32], functions: Elementary = PLATFORM) -> tuple[float, ...]:
    """Return probabilities of one image: float64, from an exactly rounded sum."""
    values = [float(value) for value in logits]
    largest = max(values)
    powers = [functions.exp(value - largest) for value in values]
    total = math.fsum(powers)
    return tuple(power / total for power in powers)


def _describe_one(
    path: str,
    label: str,
    logits: NDArray[np.float32],
    classes: tuple[str, ...],
    functions: Elementary = PLATFORM,
) -> Prediction:
    """Decide for one class: the classes exclude each other."""
    return Prediction(
        path=path,
        label=label,
        decision=classes[int(np.argmax(logits))],
        # The shortest text that reads back to the same float32.
        logits=tuple(str(value) for value in logits),
        probabilities=softmax(logits, functions),
    )


def _describe_each(
    path: str,
    label: str,
    logits: NDArray[np.float32],
    classes: tuple[str, ...],
    functions: Elementary = PLATFORM,
) -> Prediction:
    """Decide for or against each label by itself."""
    probabilities = tuple(sigmoid(float(value), functions) for value in logits)
    return Prediction(
        path=path,
        label=label,
        decision=format_labels(classes, tuple(value >= HALF for value in probabilities)),
        logits=tuple(str(value) for value in logits),
        probabilities=probabilities,
        asks_each_label=True,
    )
