"""The one thread that computes: requests take turns, whatever arrives at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cxr.inference.answers import Answer, Refusal
from cxr.serving.decompression_bombs import refuse_bomb
from cxr.serving.uploads import Upload

if TYPE_CHECKING:
    from cxr.inference.predictor import Predictor


class Worker:
    """Inspects, decodes and computes images, each as a batch of its own, in one thread.

    Args:
        predictor: The model.
        max_pixels: How many pixels an image may claim.
    """

    def __init__(self, predictor: Predictor, *, max_pixels: int) -> None:
        self.predictor = predictor
        self._max_pixels = max_pixels
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cxr-predict")

    def warm_up(self) -> None:
        """Compute one grey image, so that what cannot be computed is known before the first.

        Raises:
            DeterminismError: An op of the model cannot be computed at the run's level.
            TrainingError: The model cannot compute an image.
        """
        import numpy as np

        from cxr.inference.prepare_image import PreparedImage

        data = self.predictor.config.data
        shape = (1, data.channels, data.image_size, data.image_size)
        grey = np.zeros(shape, dtype=np.float32)
        image = PreparedImage(path="warm-up", images_BCHW=grey, remarks=())
        self._thread.submit(self.predictor.answer, image).result()

    async def predict(self, uploads: Sequence[Upload]) -> list[Answer | Refusal]:
        """Return what is said of each image, in order.

        Where the caller is cancelled, work that waits is dropped, and work that is being done ends
        with the image it is at.

        Raises:
            DeterminismError: An op of the model cannot be computed at the run's level.
            TrainingError: The model cannot compute an image.
        """
        is_dropped = threading.Event()
        work = self._thread.submit(self._predict_all, uploads, is_dropped)
        try:
            return await asyncio.wrap_future(work)
        finally:
            is_dropped.set()

    def close(self) -> None:
        """Drop what waits, and wait for the image that is being computed."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _predict_all(
        self, uploads: Sequence[Upload], is_dropped: threading.Event
    ) -> list[Answer | Refusal]:
        said: list[Answer | Refusal] = []
        for one in uploads:
            if is_dropped.is_set():
                break
            bomb = refuse_bomb(one.content, name=one.name, max_pixels=self._max_pixels)
            said.append(bomb or self.predictor.predict(one.content, name=one.name))
        return said
