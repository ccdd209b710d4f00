from __future__ import annotations

import io

import numpy as np
import pytest

from cxr.config.data_section import DataConfig
from cxr.data.checks.kinds import describe_problem
from cxr.inference.answers import Refusal
from cxr.inference.prepare_image import DecodedImage
from cxr.serving import decoder_messages as messages

CONFIG = DataConfig(source="folder", root="é", classes=("a", "b"), mean=0.1, std=1 / 3)
TASK = messages.Task(config=CONFIG, max_pixels=12345)
REFUSAL = Refusal(path="image-1", kind="damaged", detail="«words»")
PIXELS = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
DECODED = DecodedImage(
    path="image-1.png",
    pixels_HWC=PIXELS,
    remarks=(describe_problem("constant", ["image-1.png"], "odd"),),
)


def write(send, *values):
    stream = io.BytesIO()
    send(stream, *values)
    return stream.getvalue()


def test_what_is_sent_is_what_arrives():
    assert messages.read_task(io.BytesIO(write(messages.write_task, TASK))) == TASK
    for name in ("image-1.png", "zéro \U0001f600"):
        sent = write(messages.write_image, name, b"\0\xff" * 9)
        assert messages.read_image(io.BytesIO(sent)) == (name, b"\0\xff" * 9)
    sent = write(messages.write_decoded, REFUSAL)
    assert messages.read_decoded(io.BytesIO(sent)) == REFUSAL
    found = messages.read_decoded(io.BytesIO(write(messages.write_decoded, DECODED)))
    assert np.array_equal(found.pixels_HWC, PIXELS)
    assert (found.path, found.remarks) == (DECODED.path, DECODED.remarks)


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        (write(messages.write_task, TASK), messages.read_task),
        (write(messages.write_greeting, "sha256:0"), messages.read_greeting),
        (write(messages.write_image, "a.png", b"12345"), messages.read_image),
        (write(messages.write_decoded, REFUSAL), messages.read_decoded),
        (write(messages.write_decoded, DECODED), messages.read_decoded),
    ],
    ids=["task", "greeting", "image", "refusal", "pixels"],
)
def test_what_breaks_off_is_not_taken_for_whole(sent, read):
    assert read(io.BytesIO(sent)) is not None
    for cut in range(len(sent)):
        assert read(io.BytesIO(sent[:cut])) is None
