"""Faults planted in a service; see ``faults.py``."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any


def _slow_answers(value: str) -> None:
    """Each image takes ``value`` seconds, but not the one that warms up."""
    from cxr.inference.predictor import Predictor

    original = Predictor.answer

    def answer(self: Predictor, prepared: Any) -> Any:
        if prepared.path != "warm-up":
            time.sleep(float(value))
        return original(self, prepared)

    Predictor.answer = answer


def _shared_buffer(_: str) -> None:
    """Four threads compute, and put pixels into one buffer before they do."""
    from cxr.inference.predictor import Predictor
    from cxr.serving import worker

    original, buffers = Predictor.answer, {}

    def answer(self: Predictor, prepared: Any) -> Any:
        buffer = buffers.setdefault("pixels", prepared.images_BCHW.copy())
        buffer[:] = prepared.images_BCHW
        time.sleep(0.01)
        return original(self, replace(prepared, images_BCHW=buffer))

    Predictor.answer = answer
    worker.ThreadPoolExecutor = lambda **_: ThreadPoolExecutor(max_workers=4)


def _quoted_names(_: str) -> None:
    """Images are called what the client calls them."""
    from cxr.serving import uploads

    def end_headers(self: Any) -> None:
        _, options = uploads.parse_options_header(self._disposition)
        self._suffix = options.get(b"filename", b"").decode("latin-1")

    uploads._Reader._end_headers = end_headers


def _crashing_answers(_: str) -> None:
    """A library fails in its own way, with a patient's name in its words."""
    from cxr.inference.predictor import Predictor

    original = Predictor.answer

    def answer(self: Predictor, prepared: Any) -> Any:
        if prepared.path == "warm-up":
            return original(self, prepared)
        raise RuntimeError("the planted library gave up on PLANTNAME^JANE")

    Predictor.answer = answer


FAULTS: dict[str, Callable[[str], None]] = {
    "slow-answers": _slow_answers,
    "shared-buffer": _shared_buffer,
    "quoted-names": _quoted_names,
    "crashing-answers": _crashing_answers,
}
