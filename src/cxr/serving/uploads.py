"""Reading the images of a request: multipart/form-data, kept in memory, bounded while it comes.

Source: RFC 7578, Returning Values from Forms: multipart/form-data.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers

from cxr.data.decoding.file_format import SUFFIXES
from cxr.serving.limits import Limits
from cxr.serving.problems import RefusedRequest

FIELD: Final = "image"

_SUFFIXES: Final = tuple(one for several in SUFFIXES.values() for one in several)
_MAX_BOUNDARY: Final = 70
"""Source: RFC 2046, section 5.1.1."""
_MAX_PART_HEADERS: Final = 8
_MAX_PART_HEADER_BYTES: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """One image as it was sent.

    Attributes:
        name: What the answer calls it: its place, and the suffix it came with, if that is one of an
            image. The client's name for it may hold a patient's, and is not kept.
        content: The bytes of its file.
    """

    name: str
    content: bytes


async def read_uploads(
    headers: Headers, chunks: AsyncIterator[bytes], limits: Limits
) -> list[Upload]:
    """Read the images of a request.

    Args:
        headers: Of the request.
        chunks: Its body, as it comes.
        limits: How much of it, and for how long.

    Raises:
        RefusedRequest: 400, 408, 413, 415 or 422, as the problem says.
    """
    reader = _Reader(_find_boundary(headers), limits)
    _require_length(headers, limits)
    num_bytes = 0
    try:
        async with asyncio.timeout(limits.body_s):
            async for chunk in chunks:
                num_bytes += len(chunk)
                if num_bytes > limits.max_bytes:
                    raise _refuse_length(limits)
                reader.write(chunk)
    except TimeoutError:
        detail = f"the body did not arrive within {limits.body_s:g} s"
        raise RefusedRequest(408, "slow-body", detail) from None
    return reader.finish()


def _find_boundary(headers: Headers) -> bytes:
    """Return what stands between the parts.

    Raises:
        RefusedRequest: The body is of another type, packed, or names no boundary.
    """
    wanted = f"send multipart/form-data with each image in a field named {FIELD}"
    kind, options = parse_options_header(headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        raise RefusedRequest(415, "not-multipart", wanted)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise RefusedRequest(415, "content-encoding", "send the body without a content-encoding")
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= _MAX_BOUNDARY:
        raise RefusedRequest(400, "malformed-body", "the content-type names no usable boundary")
    return boundary


def _require_length(headers: Headers, limits: Limits) -> None:
    """Refuse what says of itself that it is too long, before any of it is read.

    Raises:
        RefusedRequest: 413.
    """
    claimed = headers.get("content-length", "0")
    # Longer than any number that may be: not worth making an integer of.
    if len(claimed) > len(str(limits.max_bytes)) or int(claimed) > limits.max_bytes:
        raise _refuse_length(limits)


def _refuse_length(limits: Limits) -> RefusedRequest:
    detail = f"the body has more than {limits.max_bytes:,} bytes"
    return RefusedRequest(413, "body-too-large", detail)


class _Reader:
    """Takes a body in pieces and keeps the images in it."""

    def __init__(self, boundary: bytes, limits: Limits) -> None:
        self._max_images = limits.max_images
        self._uploads: list[Upload] = []
        self._pieces: list[bytes] = []
        self._suffix = ""
        self._header_name, self._header_value = b"", b""
        self._disposition = b""
        self._is_whole = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._take_header_name,
                "on_header_value": self._take_header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._take_data,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
            max_header_count=_MAX_PART_HEADERS,
            max_header_size=_MAX_PART_HEADER_BYTES,
        )

    def write(self, chunk: bytes) -> None:
        """Take the next bytes of the body.

        Raises:
            RefusedRequest: They are no such body, or hold what is not asked for.
        """
        try:
            self._parser.write(chunk)
        except FormParserError:
            # The library's words may quote a byte of the body.
            detail = "the body is no multipart/form-data, or its boundary is another one"
            raise RefusedRequest(400, "malformed-body", detail) from None

    def finish(self) -> list[Upload]:
        """Return the images, once the body has ended.

        Raises:
            RefusedRequest: It ended too early, or holds none.
        """
        if not self._is_whole:
            detail = "the body ends before its last boundary"
            raise RefusedRequest(400, "malformed-body", detail)
        if not self._uploads:
            detail = f"there is no field named {FIELD}"
            raise RefusedRequest(422, "no-image", detail)
        return self._uploads

    def _begin_part(self) -> None:
        if len(self._uploads) >= self._max_images:
            detail = f"there are more than {self._max_images} images"
            raise RefusedRequest(413, "too-many-images", detail)
        self._pieces, self._disposition = [], b""

    def _take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = self._header_value
        self._header_name, self._header_value = b"", b""

    def _end_headers(self) -> None:
        kind, options = parse_options_header(self._disposition)
        if kind != b"form-data" or options.get(b"name") != FIELD.encode():
            detail = f"there is a field that is not named {FIELD}"
            raise RefusedRequest(422, "unknown-field", detail)
        name = options.get(b"filename", b"").lower().decode("latin-1")
        self._suffix = next((one for one in _SUFFIXES if name.endswith(one)), "")

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        self._pieces.append(data[start:end])

    def _end_part(self) -> None:
        name = f"image-{len(self._uploads) + 1}{self._suffix}"
        self._uploads.append(Upload(name=name, content=b"".join(self._pieces)))
        self._pieces = []

    def _end(self) -> None:
        self._is_whole = True
