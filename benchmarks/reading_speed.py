"""The side of `data_speed.py` that trains: images a second from the decode cache, on one core.

Prints three numbers: images read and augmented a second, images read alone a second, and the
seconds that checking the cache's digest takes when it is opened.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Final

import numpy as np
import torch

from cxr.config.load import load_config
from cxr.data.dataset import load_dataset
from cxr.digests.files import digest_file
from cxr.training.batches import iterate_batches

CONFIG: Final = Path(__file__).parents[1] / "configs" / "kermany_resnet18_64.yaml"
ROUNDS: Final = 5


def main() -> None:
    """Read the set below the directory that is named."""
    torch.set_num_threads(1)
    overrides = [f"data.root={sys.argv[1]}", "data.group_pattern=null", "workers=0"]
    config = load_config(CONFIG, [*overrides, "data.validation_fraction=0"])
    dataset = load_dataset(config.data)
    split = dataset.split("train")
    augmented = max(time_epoch(lambda e=e: read_epoch(config, split, e)) for e in range(ROUNDS))
    alone = max(time_epoch(lambda: read_alone(split)) for _ in range(ROUNDS))
    pixels = Path(str(dataset.images_NHWC.filename))
    start = time.perf_counter()
    digest_file(pixels)
    print(augmented, alone, time.perf_counter() - start)


def time_epoch(read: object) -> float:
    """Return how many images a second something reads."""
    start = time.perf_counter()
    num = read()  # type: ignore[operator]
    return num / (time.perf_counter() - start)


def read_epoch(config: object, split: object, epoch: int) -> int:
    """Prepare every batch of an epoch, as training does."""
    return sum(len(batch.labels) for batch in iterate_batches(config, split, epoch))  # type: ignore[arg-type]


def read_alone(split: object) -> int:
    """Read every image, in the order of a shuffled epoch, and do nothing with it."""
    order = np.random.default_rng(0).permutation(len(split))  # type: ignore[arg-type]
    for start in range(0, len(order), 64):
        split.images_NHWC[order[start : start + 64]].sum()  # type: ignore[attr-defined]
    return len(order)


if __name__ == "__main__":
    main()
