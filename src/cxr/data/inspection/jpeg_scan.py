"""Whether the compressed pixels of a JPEG file can be what an encoder wrote.

Two things give away bytes that have changed. The Huffman codes may lead nowhere: libjpeg then
warns and goes on, Pillow hides that, and simplejpeg raises it. Or the codes go on making sense by
chance, but the brightness of blocks, of which each is stored as the difference from the one before,
drifts out of what eight bits can hold; decoders clip it, and nobody sees it.

Both come out of one decoding at an eighth of the size, in which a block is one pixel and no other
coefficient is looked at. The table's step for the brightness is halved in a copy of the file, so
that what is out of range is not clipped. That takes about a quarter of the time of decoding.

A lossless JPEG has no blocks, and libjpeg writes it whole into the room for an eighth of it: it is
decoded at its own size, and only codes that lead nowhere give it away.
"""

from __future__ import annotations

from typing import Any, Final

from cxr.data.decoding.jpeg_scans import LOSSLESS
from cxr.data.decoding.open_picture import MAX_PIXELS
from cxr.data.inspection.finding import Finding
from cxr.data.inspection.jpeg_stream import JpegHead

_LEVELS: Final = 1024
"""Largest magnitude of a block's brightness, unquantised: eight times 128.

Source: ISO/IEC 10918-1, A.3.3 with samples from -128 to 127.
"""
_SLACK_PX: Final = 1.0
"""For rounding in an encoder's transform: sixteen times what libjpeg's fastest one needs."""

_BLOCKWISE: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
"""Frames of blocks: baseline, extended and progressive, and the latter with arithmetic codes."""
_LOSSLESS_COLOURS: Final = {1: "GRAY", 3: "RGB", 4: "CMYK"}
"""By the number of components: those of a lossless JPEG are never converted."""

_GIVE_AWAY: Final = ("Corrupt JPEG data", "Premature end", "Unsupported marker")
"""What libjpeg says of streams that no encoder writes. A marker that it does not know ends the
decoding, and of what is left undecoded neither Pillow nor libtiff says a word.
"""

_RGB_IDENTIFIERS: Final = (ord("R"), ord("G"), ord("B"))
_PRECISION: Final = 8
_SHIFT: Final = 128


def check_jpeg_scan(content: bytes, head: JpegHead) -> list[Finding]:
    """Return what is wrong with the scans of a JPEG file: at most one finding.

    Args:
        content: The bytes of the file, whose segments are whole.
        head: What `read_jpeg` found in it.
    """
    num_components = len(head.components)
    if head.precision != _PRECISION or num_components not in (1, 3, 4):
        return []
    if head.num_pixels > MAX_PIXELS:
        return []
    try:
        if head.frame == LOSSLESS:
            _decode(content, _LOSSLESS_COLOURS[num_components])
        elif head.frame in _BLOCKWISE:
            step, copy = _halve_step(content, head)
            colours = "CMYK" if num_components == 4 else "GRAY"  # noqa: PLR2004 - inks
            eighth = _decode(copy, colours, min_height=1, min_width=1)
            return _check_range(eighth, step) if step else []
    except ValueError as error:
        return _explain(str(error))
    return []


def _decode(content: bytes, colours: str, **sizes: int) -> Any:
    """Return pixels; what libjpeg warns of is a ValueError."""
    import simplejpeg

    return simplejpeg.decode_jpeg(content, colorspace=colours, fastdct=True, strict=True, **sizes)


def _halve_step(content: bytes, head: JpegHead) -> tuple[int, bytes]:
    """Return the step of the brightness, and the file with half of it.

    The step is 0, and the file as it was, where the first component is no brightness, or where
    the step is 1 already: then nothing out of range can be told from black or white.
    """
    identifiers = tuple(identifier for identifier, _ in head.components)
    as_rgb = identifiers == _RGB_IDENTIFIERS if head.adobe is None else head.adobe == 0
    num = len(head.components)
    if num not in (1, 3) or (num == 3 and as_rgb):  # noqa: PLR2004 - grey, or one of two colours
        return 0, content
    copy, step = bytearray(content), 0
    for number, start, number_bytes in head.tables:
        if number == head.components[0][1]:
            step = int.from_bytes(content[start : start + number_bytes], "big")
            copy[start : start + number_bytes] = (step // 2).to_bytes(number_bytes, "big")
    return (step, bytes(copy)) if step > 1 else (0, content)


def _check_range(eighth: Any, step: int) -> list[Finding]:
    """Look for blocks that are brighter or darker than any eight-bit picture."""
    # An encoder rounds to a whole number of steps; one pixel is an eighth of the brightness.
    limit = (_LEVELS + step / 2) * (step // 2) / step / 8 + _SLACK_PX
    low, high = int(eighth.min()) - _SHIFT, int(eighth.max()) - _SHIFT
    if max(high, -low) <= limit:
        return []
    return [("damaged", "bytes of the pixels have changed: blocks are brighter than white can be")]


def _explain(said: str) -> list[Finding]:
    """Return what libjpeg said as a finding; what simplejpeg has no means for is none."""
    if any(one in said for one in _GIVE_AWAY):
        said = said.removeprefix("Corrupt JPEG data: ")
        return [("damaged", f"the decoder meets what no encoder writes: {said}")]
    return []
