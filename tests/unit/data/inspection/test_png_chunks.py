from __future__ import annotations

import zlib

import pytest

from cxr.data.inspection import inflation
from cxr.data.inspection.png_chunks import check_png
from support.hostile_images import PNG, write_png

# Bytes of the inflated stream, counted by hand: a filter byte and the packed samples of each row.
SIZES = [
    (8, 0, 5, 3, 3 * 6),
    (16, 2, 5, 3, 3 * (1 + 30)),
    (8, 6, 5, 3, 3 * (1 + 20)),
    (1, 0, 9, 3, 3 * (1 + 2)),
    (4, 3, 5, 3, 3 * (1 + 3)),
    (16, 4, 5, 3, 3 * (1 + 20)),
]


@pytest.mark.parametrize(("depth", "colour", "width", "height", "size"), SIZES)
def test_a_stream_has_as_many_bytes_as_the_picture(depth, colour, width, height, size):
    def check(size):
        stream = zlib.compress(bytes(size))
        return check_png(write_png(width, height, stream, depth=depth, colour=colour))

    assert check(size) == []
    assert [kind for kind, _ in check(size - 1) + check(size + 1)] == ["damaged"] * 2


def test_an_interlaced_picture_is_counted_pass_by_pass():
    # 8 x 8 px of one byte: passes of 1x1, 1x1, 2x1, 2x2, 4x2, 4x4 and 8x4 px.
    size = 2 + 2 + 3 + 2 * 3 + 2 * 5 + 4 * 5 + 4 * 9
    assert check_png(write_png(8, 8, zlib.compress(bytes(size)), interlace=1)) == []
    # 1 x 1 px: passes without a column have no rows either.
    assert check_png(write_png(1, 1, zlib.compress(bytes(2)), interlace=1)) == []


@pytest.mark.parametrize("place", range(8, len(PNG), 7))
def test_any_changed_byte_behind_the_signature_is_found(place):
    changed = bytearray(PNG)
    changed[place] ^= 16
    assert len(check_png(bytes(changed))) == 1


def test_the_stream_of_a_bomb_is_left_alone(monkeypatch):
    monkeypatch.setattr(zlib, "decompressobj", None)
    assert check_png(write_png(10_000, 10_000, zlib.compress(bytes(100)), depth=1)) == []


def test_a_stream_that_never_ends_is_not_inflated_to_its_end(monkeypatch):
    monkeypatch.setattr(inflation, "_OUTPUT_BYTES", 1024)
    stream = zlib.compress(bytes(50_000_000))
    calls = []
    inflater = zlib.decompressobj()

    class Counting:
        eof = False
        unconsumed_tail = b""

        def decompress(self, data, limit):
            calls.append(limit)
            piece = inflater.decompress(data, limit)
            self.unconsumed_tail = inflater.unconsumed_tail
            return piece

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    assert [kind for kind, _ in check_png(write_png(32, 32, stream))] == ["damaged"]
    assert len(calls) <= 3
