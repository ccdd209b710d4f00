from __future__ import annotations

import struct

import pytest

from cxr.data.inspection import picture_findings
from cxr.data.inspection.inspect_file import inspect_file
from cxr.data.inspection.tiff_layout import check_tiff, is_exif_whole
from support.hostile_images import PACKED_TIFF, TIFF, chain_pages, encode


def big_tiff(places, sizes, *, order="<"):
    """Return a BigTIFF file with a directory that points at pieces of a picture."""
    entries = [(273, 16, places), (279, 16, sizes)]
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(order + "HHHQ", 43, 8, 0, 16)
    body = struct.pack(order + "Q", len(entries))
    for tag, kind, value in entries:
        body += struct.pack(order + "HHQQ", tag, kind, 1, value)
    return head + body + struct.pack(order + "Q", 0) + bytes(100)


@pytest.mark.parametrize("order", ["<", ">"])
def test_pieces_of_a_large_file_must_lie_within_it(order):
    whole = big_tiff(72, 100, order=order)
    assert len(whole) == 172
    assert check_tiff(whole) == []
    for broken in (whole[:-1], big_tiff(72, 101, order=order), big_tiff(2**63, 1, order=order)):
        assert [kind for kind, _ in check_tiff(broken)] == ["truncated"]


@pytest.mark.parametrize("content", [TIFF, PACKED_TIFF], ids=["plain", "packed"])
def test_every_cut_is_found(content):
    assert check_tiff(content) == []
    for size in (*range(len(content) - 12, len(content)), 2, 7, 9, 100):
        assert [kind for kind, _ in check_tiff(content[:size])] == ["truncated"], size


def test_a_file_without_a_directory_is_damaged():
    assert [kind for kind, _ in check_tiff(b"II*\0" + bytes(20))] == ["damaged"]


def test_pages_are_counted_up_to_a_thousand():
    assert check_tiff(chain_pages(1000)) == []
    assert check_tiff(chain_pages(1001)) == [
        ("multi-frame", "more than 1,000 pictures in one file")
    ]


def test_no_other_library_counts_more_of_them(monkeypatch):
    # It takes time with the square of their number: some minutes for 16 MiB.
    monkeypatch.setattr(picture_findings, "count_frames", lambda _: pytest.fail("counted"))
    found = inspect_file(chain_pages(1001), name="a.tif")
    assert [kind for kind, _ in found.findings] == ["multi-frame"]
    assert (found.width, found.height) == (48, 48)


def test_metadata_are_whole_or_not():
    exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
    assert is_exif_whole(exif)
    assert is_exif_whole(encode(file_format="TIFF"))
    assert not is_exif_whole(exif[:-1])
    assert not is_exif_whole(b"XX" + exif[2:])
    # A value of 21 bytes that would lie behind the end.
    assert not is_exif_whole(exif.replace(b"\x12\x01\x03\0\x01", b"\x12\x01\x02\0\x15"))
