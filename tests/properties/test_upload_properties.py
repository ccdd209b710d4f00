"""Bodies of requests: any images come back, and nothing else than a refusal is raised."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence

from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from cxr.serving.limits import Limits
from cxr.serving.problems import RefusedRequest
from cxr.serving.request_id import choose_request_id
from cxr.serving.uploads import Upload, read_uploads
from properties.strategies import examples
from support.serving import BOUNDARY, encode_form, form_type

LIMITS = Limits(max_images=4, max_bytes=10_000)
CONTENTS = st.lists(st.binary(max_size=300), min_size=1, max_size=4)
CUTS = st.lists(st.integers(0, 2000), max_size=8)
PIECES = st.sampled_from(
    [
        *(b"--", BOUNDARY.encode(), b"\r\n", b"\r", b"\n", b":", b'"', b"\0", b"\xff"),
        *(b"Content-Disposition", b"form-data", b'; name="image"', b'; filename="'),
    ]
)


def read(body: bytes, cuts: Sequence[int] = (), boundary: str = BOUNDARY) -> list[Upload]:
    """Read a body that comes in pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
        for start, end in itertools.pairwise(places):
            yield body[start:end]

    headers = Headers({"content-type": form_type(boundary)})
    return asyncio.run(read_uploads(headers, pieces(), LIMITS))


@given(contents=CONTENTS, cuts=CUTS)
@example(contents=[b"\r\n--" + BOUNDARY.encode()[:-1]], cuts=[150, 151, 152])
@examples(max_examples=80)
def test_images_come_back_however_the_body_is_cut(contents: list[bytes], cuts: list[int]):
    marker = f"\r\n--{BOUNDARY}".encode()
    contents = [one.replace(marker, b"") for one in contents]
    body = encode_form([(f"{number}.PNG", one) for number, one in enumerate(contents)])
    uploads = read(body, cuts)
    assert [one.content for one in uploads] == contents
    assert [one.name for one in uploads] == [f"image-{n + 1}.png" for n in range(len(contents))]


@given(pieces=st.lists(st.one_of(PIECES, st.binary(max_size=20)), max_size=40), cuts=CUTS)
@examples(max_examples=80)
def test_any_bytes_are_images_or_refused(pieces: list[bytes], cuts: list[int]):
    with contextlib.suppress(RefusedRequest):
        assert all(one.name.startswith("image-") for one in read(b"".join(pieces), cuts))
    form = encode_form([("a.png", b"".join(pieces))])
    with contextlib.suppress(RefusedRequest):
        read(form[: len(form) - len(pieces)], cuts)


@given(given_id=st.one_of(st.none(), st.binary(max_size=80)))
@examples(max_examples=80)
def test_a_request_id_is_a_short_token_whatever_is_given(given_id: bytes | None):
    chosen = choose_request_id(given_id)
    assert 0 < len(chosen) <= 64
    assert set(chosen) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert choose_request_id(chosen.encode()) == chosen
