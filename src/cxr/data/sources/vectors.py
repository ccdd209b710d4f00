"""Synthetic vectors: 784 features in 10 classes, made from a seed by integer arithmetic.

Each class has a random pattern of bytes; a sample is its class's pattern with bounded noise. They
are kept as 28 x 28 grey pictures, so that one path serves them and radiographs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cxr.config.data_section import SyntheticConfig
from cxr.determinism.streams import derive_stream
from cxr.digests.canonical import digest_bytes
from cxr.records.data_lock import DataLock, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NUM_CLASSES: Final = 10
SIDE_PX: Final = 28
NUM_FEATURES: Final = SIDE_PX * SIDE_PX
CLASSES: Final = tuple(f"class_{index}" for index in range(NUM_CLASSES))

# Patterns stay in the middle half of a byte's range, so that noise rarely saturates.
_PATTERN_LOW: Final = 96
_PATTERN_SPAN: Final = 64


def draw_vectors(config: SyntheticConfig) -> tuple[DataLock, NDArray[np.uint8]]:
    """Draw every split.

    Args:
        config: Seed, sizes and noise.

    Returns:
        The samples, and their pixels in the same order: shape (N, 28, 28, 1), dtype uint8.
    """
    import numpy as np

    stream = derive_stream(config.seed, "synthetic", "patterns")
    drawn_bytes = stream.uint64_array(NUM_CLASSES * NUM_FEATURES) % np.uint64(_PATTERN_SPAN)
    patterns = drawn_bytes.astype(np.int64).reshape(NUM_CLASSES, NUM_FEATURES) + _PATTERN_LOW
    samples: list[Sample] = []
    pixels: list[NDArray[np.uint8]] = []
    sizes = {"test": config.test, "train": config.train, "val": config.val}
    for split, num in sizes.items():
        drawn = _draw_split(config, split, num, patterns)
        pixels.append(drawn)
        for index in range(num):
            name = f"{split}/{index:07d}"
            samples.append(
                Sample(
                    path=name,
                    bytes=NUM_FEATURES,
                    sha256=digest_bytes(drawn[index].tobytes()),
                    label=CLASSES[index % NUM_CLASSES],
                    group=name,
                    split=split,
                )
            )
    return DataLock(classes=CLASSES, samples=tuple(samples)), np.concatenate(pixels)


def _draw_split(
    config: SyntheticConfig, split: str, num: int, patterns: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Draw ``num`` vectors whose classes follow one another: shape (num, 28, 28, 1), uint8."""
    import numpy as np

    stream = derive_stream(config.seed, "synthetic", split)
    span = np.uint64(2 * config.noise + 1)
    noise = (stream.uint64_array(num * NUM_FEATURES) % span).astype(np.int64) - config.noise
    values = patterns[np.arange(num) % NUM_CLASSES] + noise.reshape(num, NUM_FEATURES)
    pixels: NDArray[np.uint8] = np.clip(values, 0, 255).astype(np.uint8)
    return pixels.reshape(num, SIDE_PX, SIDE_PX, 1)
