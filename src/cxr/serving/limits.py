"""What a request may cost: bytes, pixels, time, and requests beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cxr.data.decoding.open_picture import MAX_PIXELS

MAX_TIME_S: Final = 86_400
"""A day: of each time here, and less than any clock counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Every bound of the service; a request beyond one is refused with a status of its own.

    Uploads take ``parallel * max_bytes`` of memory at most, twice that for a moment.

    Attributes:
        max_bytes: Of a request's body; counted while it is read, whatever its length claims.
        max_images: In a request.
        max_pixels: That an image may claim; asked before it is decoded.
        max_header_bytes: Of a request's line and headers.
        header_s: Time for a request's line and headers.
        body_s: Time for reading a body.
        decode_s: Time for decoding an image; the process that takes longer is ended.
        request_s: Time for a request as a whole, waiting for others included.
        keep_alive_s: How long a connection without a request stays open.
        grace_s: How long requests under way may take when the service is told to stop.
        parallel: Requests for predictions that are read, waiting or computed.
        parallel_per_client: The same of one client's address; None for no limit of its own.
        connections: Open at once, idle ones too.
    """

    max_bytes: int = 16 * 1024 * 1024
    max_images: int = 8
    max_pixels: int = MAX_PIXELS
    max_header_bytes: int = 16 * 1024
    header_s: float = 10.0
    body_s: float = 20.0
    decode_s: float = 20.0
    request_s: float = 60.0
    keep_alive_s: int = 5
    grace_s: int = 20
    parallel: int = 16
    parallel_per_client: int | None = None
    connections: int = 256
