from __future__ import annotations

import struct
import zlib

import pytest

from cxr.data.inspection.inspect_file import inspect_file
from support.dicoms import draw_values, make_dicom, write_dicom

DEFLATED = b"1.2.840.10008.1.2.1.99"
SYNTAX = b"\x02\x00\x10\x00"


def write_element(representation, value):
    head = SYNTAX + representation
    if representation == b"UI":
        return head + struct.pack("<H", len(value)) + value
    return head + bytes(2) + struct.pack("<I", len(value)) + value


def deflate(meta_of):
    """Return a deflated file, whose meta information is made of the element for its syntax."""
    plain = write_dicom(make_dicom(draw_values(low=0, high=255), bits=8))
    start = 132 + 12
    end = start + int.from_bytes(plain[start - 4 : start], "little")
    place = plain.index(SYNTAX, start)
    after = place + 8 + int.from_bytes(plain[place + 6 : place + 8], "little")
    meta = plain[start:place] + meta_of + plain[after:end]
    packer = zlib.compressobj(wbits=-15)
    packed = packer.compress(plain[end:]) + packer.flush()
    return plain[: start - 4] + struct.pack("<I", len(meta)) + meta + packed


def private(value):
    """Return an element that stands before others; pydicom asks for no order."""
    return b"\x02\x00\x02\x01OB" + bytes(2) + struct.pack("<I", len(value)) + value


@pytest.mark.parametrize(
    "meta",
    [
        write_element(b"UI", DEFLATED),
        # As an unknown element, behind more than is searched, and behind another that is none.
        write_element(b"UN", DEFLATED),
        private(bytes(9000)) + write_element(b"UI", DEFLATED),
        private(write_element(b"UI", b"1.2.840.10008.1.2.1\0")) + write_element(b"UI", DEFLATED),
    ],
    ids=["plain", "unknown", "far", "decoy"],
)
def test_nothing_is_inflated_however_a_file_names_its_syntax(meta, monkeypatch):
    monkeypatch.setattr(zlib, "decompress", lambda *_, **__: pytest.fail("inflated"))
    found = inspect_file(deflate(meta), name="a.dcm")
    assert [kind for kind, _ in found.findings] == ["unsupported-transfer-syntax"]
    assert "Deflated Explicit VR Little Endian" in found.findings[0][1]
