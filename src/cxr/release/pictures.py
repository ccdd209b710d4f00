"""The pictures of a split before they are resized, one by one, as the run's lock has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from cxr.config.data_section import DataConfig
from cxr.data.dataset import Dataset
from cxr.data.preprocessing import derive_decode_plan
from cxr.data.sources.open import open_source
from cxr.digests.canonical import digest_bytes
from cxr.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_OWN_SIZE = 0


def decode_whole(config: DataConfig, dataset: Dataset, split: str) -> Iterator[NDArray[np.uint8]]:
    """Decode the images of a split at their own size, in its order.

    Args:
        config: The data section, with absolute paths.
        dataset: What was loaded of it.
        split: ``train``, ``val`` or ``test``.

    Yields:
        Shape (height, width, channels), dtype uint8.

    Raises:
        DataError: An image is not that of the lock any more.
    """
    if config.source == "synthetic":
        yield from dataset.split(split).images_NHWC
        return
    source = open_source(config)
    found = {image.path: image for image in source.find()}
    plan = replace(derive_decode_plan(config), size_px=_OWN_SIZE)
    for sample in dataset.lock.of_split(split):
        image = found[sample.path]
        content = source.read(image)
        if digest_bytes(content) != sample.sha256:
            raise DataError(
                "an image changed while it was being read",
                where=sample.path,
                hint="leave the data set alone, and export again",
            )
        yield source.decode(image, content, plan)
