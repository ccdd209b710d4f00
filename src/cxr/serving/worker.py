"""Where the images of requests are decoded and computed: by turns, whatever arrives at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from cxr.errors import CxrError
from cxr.inference.answers import Answer, Refusal
from cxr.inference.prepare_image import DecodedImage
from cxr.serving.decoder import Decoder
from cxr.serving.uploads import Upload

if TYPE_CHECKING:
    from cxr.inference.predictor import Predictor

Given = TypeVar("Given")
Made = TypeVar("Made")


class Worker:
    """Decodes images in a process of its own and computes them in one thread, each by itself.

    While one image is computed, the next one is decoded.

    Args:
        predictor: The model.
        decoder: Decodes images for it.
    """

    def __init__(self, predictor: Predictor, decoder: Decoder) -> None:
        self.predictor = predictor
        self._decoder = decoder
        self._decoding = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cxr-decode")
        self._computing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="cxr-predict")

    def warm_up(self) -> None:
        """Compute one black image, so that what cannot be computed is known before the first.

        Raises:
            DeterminismError: An op of the model cannot be computed at the run's level.
            TrainingError: The model cannot compute an image.
        """
        import numpy as np

        data = self.predictor.config.data
        black = np.zeros((data.image_size, data.image_size, data.channels), dtype=np.uint8)
        image = DecodedImage(path="warm-up", pixels_HWC=black, remarks=())
        self._computing.submit(self._answer, image).result()

    def is_ready(self) -> bool:
        """Say whether there is a process that decodes; it never waits."""
        return self._decoder.is_ready()

    def mend(self) -> None:
        """Have the process that decodes started again behind what waits, if there is none."""

        def start() -> None:
            # Whoever sends an image next is told why it cannot be.
            with contextlib.suppress(CxrError):
                self._decoder.start()

        if not self.is_ready():
            self._decoding.submit(start)

    async def predict(self, uploads: Sequence[Upload]) -> list[Answer | Refusal]:
        """Return what is said of each image, in order.

        Where the caller is cancelled, work that waits is dropped, and work that is being done ends
        with the image it is at.

        Raises:
            DecoderError: There is no process that decodes.
            DeterminismError: An op of the model cannot be computed at the run's level.
            PreprocessingError: Images become other tensors here than they did.
            TrainingError: The model cannot compute an image.
        """
        said: list[Answer | Refusal] = []
        for one in uploads:
            try:
                decoded = await _take_turn(self._decoding, self._decoder.decode, one)
            finally:
                self.mend()
            if isinstance(decoded, Refusal):
                said.append(decoded)
            else:
                said.append(await _take_turn(self._computing, self._answer, decoded))
        return said

    def close(self) -> None:
        """Drop what waits, end what is decoded, and wait for the image that is computed."""
        self._decoder.close()
        for pool in (self._decoding, self._computing):
            pool.shutdown(wait=True, cancel_futures=True)

    def _answer(self, decoded: DecodedImage) -> Answer:
        return self.predictor.answer(decoded.normalise(self.predictor.table))


async def _take_turn(pool: ThreadPoolExecutor, act: Callable[[Given], Made], given: Given) -> Made:
    """Do something in a pool's thread once it is free.

    A pool remembers what waits until its turn comes, also what was cancelled: what was given is
    taken away from it then, so that those who do not wait for an answer take no memory.
    """
    waiting = [given]
    work = pool.submit(lambda: act(waiting.pop()))
    try:
        return await asyncio.wrap_future(work)
    finally:
        waiting.clear()
