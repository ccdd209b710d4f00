from __future__ import annotations

import struct

from cxr.data.inspection.bmp_layout import check_bmp
from support.hostile_images import BMP


def test_every_cut_is_found_and_nothing_in_a_whole_file():
    assert check_bmp(BMP) == []
    for size in (10, 33, 60, len(BMP) // 2, len(BMP) - 1):
        assert [kind for kind, _ in check_bmp(BMP[:size])] == ["truncated"], size


def test_a_picture_stored_from_its_top_has_a_negative_height():
    content = bytearray(BMP)
    struct.pack_into("<i", content, 22, -48)
    assert check_bmp(bytes(content)) == []
    assert [kind for kind, _ in check_bmp(bytes(content[:-1]))] == ["truncated"]


def test_rows_are_filled_up_to_four_bytes():
    # An old, short header: 3 x 2 px of 24 bits are two rows of 9 bytes, filled up to 12.
    content = b"BM" + struct.pack("<IHHI", 0, 0, 0, 26) + struct.pack("<IHHHH", 12, 3, 2, 1, 24)
    assert check_bmp(content + bytes(24)) == []
    ((kind, detail),) = check_bmp(content + bytes(23))
    assert (kind, detail) == ("truncated", "1 bytes of pixels are missing at the end")
