"""The order of the training samples: one permutation an epoch, from its own stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cxr.determinism.streams import derive_stream

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def derive_epoch_batches(
    seed: int, epoch: int, *, num_samples: int, batch_size: int
) -> NDArray[np.int64]:
    """Return the sample indices of each batch of an epoch.

    Samples that do not fill a last batch sit out that epoch; the next permutation has others.

    Returns:
        Shape (num_samples // batch_size, batch_size), dtype int64.
    """
    order = derive_stream(seed, "order", epoch).permutation(num_samples)
    num_batches = num_samples // batch_size
    return order[: num_batches * batch_size].reshape(num_batches, batch_size)
