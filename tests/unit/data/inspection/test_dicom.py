from __future__ import annotations

import numpy as np
import pytest
from pydicom.pixels.decoders import base
from pydicom.uid import JPEGBaseline8Bit, JPEGExtended12Bit

from cxr.data.checks.kinds import KINDS
from cxr.data.decoding.decode import DecodePlan, decode_image
from cxr.data.decoding.window import Window
from cxr.data.inspection.inspect_file import inspect_file
from cxr.data.inspection.windowed import settle_windows
from cxr.errors import DataError
from support.dicoms import LOSSLESS, NATIVE, draw_values, make_dicom, write_dicom

OWN = {"WindowCenter": "2048", "WindowWidth": "4096"}


def look(made, name="a.dcm"):
    content = made if isinstance(made, bytes) else write_dicom(made)
    return inspect_file(content, name=name)


def kinds(seen):
    found = [kind for kind, _ in seen.findings]
    assert set(found) <= KINDS.keys()
    return found


def test_a_radiograph_is_described():
    seen = look(make_dicom(draw_values(low=0, high=255, side_px=50)[:40], bits=8))
    assert (seen.width, seen.height, seen.mode, seen.findings) == (50, 40, "L", ())
    assert seen.pixels.startswith("sha256:")
    assert seen.likeness


def test_equal_pixels_are_equal_however_they_are_stored():
    values = draw_values(low=0, high=4095)
    looks = [look(write_dicom(make_dicom(values), syntax)) for syntax in LOSSLESS]
    looks.append(look(make_dicom(values, PatientName="Somebody^Else")))
    assert len({seen.pixels for seen in looks}) == 1
    assert len({seen.likeness for seen in looks}) == 1
    assert len({seen.sha256 for seen in looks}) == len(LOSSLESS) + 1
    assert look(make_dicom(values ^ 1)).pixels != looks[0].pixels


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (lambda: make_dicom(draw_values(low=0, high=4095)), ["16-bit"]),
        (lambda: make_dicom(draw_values(low=0, high=4095), **OWN), ["16-bit", "own-window"]),
        (lambda: make_dicom(np.full((40, 40), 7), bits=8), ["constant"]),
        (lambda: make_dicom(draw_values(low=0, high=255, side_px=20), bits=8), ["too-small"]),
        (
            lambda: make_dicom(draw_values(low=0, high=255, side_px=200)[:40], bits=8),
            ["odd-aspect"],
        ),
        (
            lambda: make_dicom(draw_values(low=0, high=255), bits=8, BurnedInAnnotation="YES"),
            ["burned-in"],
        ),
        (
            lambda: make_dicom(
                draw_values(low=0, high=255), bits=8, **OWN, VOILUTFunction="SIGMOID"
            ),
            ["unsupported-window"],
        ),
        (lambda: b"of no known format", ["not-an-image"]),
        (lambda: write_dicom(make_dicom(draw_values(low=0, high=4095)))[:900], ["truncated"]),
    ],
)
def test_what_is_wrong_is_named(made, wanted):
    assert kinds(look(made())) == wanted


@pytest.mark.parametrize("syntax", NATIVE[:2], ids=lambda uid: uid.name)
@pytest.mark.parametrize("name", ["a.dcm", "a.DICOM"])
def test_a_file_without_prefix_is_known_by_its_name_alone(name, syntax):
    made = make_dicom(draw_values(low=0, high=255), bits=8)
    whole = write_dicom(made, syntax)
    content = whole[whole.index(b"\x08\x00\x16\x00") :]
    assert look(content, name).findings == ()
    plan = DecodePlan(size_px=0, channels=1, resample="bilinear")
    wanted = decode_image(whole, plan, where="a")
    assert np.array_equal(decode_image(content, plan, where=name), wanted)
    assert kinds(look(content, "a.png")) == ["not-an-image"]


DEEP = {
    "own": lambda: make_dicom(draw_values(low=0, high=4095), **OWN),
    "none": lambda: make_dicom(draw_values(low=0, high=4095)),
    "sigmoid": lambda: make_dicom(draw_values(low=0, high=4095), **OWN, VOILUTFunction="SIGMOID"),
    "colour": lambda: make_dicom(
        np.stack([draw_values(low=0, high=65535)] * 3, axis=2), bits=16, **OWN
    ),
    "deeper": lambda: make_dicom(draw_values(low=0, high=4095), **OWN, BitsAllocated=32),
    "plain": lambda: make_dicom(draw_values(low=0, high=255), bits=8),
}
WINDOWS = {
    "none": None,
    "file": Window(kind="file"),
    "range": Window(kind="range", low=0, high=4095),
    "percentile": Window(kind="percentile", low=1, high=99),
}


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("made", DEEP)
def test_inspection_and_training_agree_on_what_needs_a_window(made, window):
    content = write_dicom(DEEP[made]())
    settled = settle_windows(look(content), WINDOWS[window])
    errors = [kind for kind in kinds(settled) if KINDS[kind].severity == "error"]
    plan = DecodePlan(size_px=16, channels=1, resample="bilinear", window=WINDOWS[window])
    try:
        decode_image(content, plan, where="a.dcm")
    except DataError:
        assert errors
    else:
        assert not errors


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEGExtended12Bit], ids=lambda uid: uid.name)
def test_the_scan_of_a_jpeg_within_is_checked_as_that_of_a_file(syntax):
    values = draw_values(low=0, high=255, side_px=64)
    content = write_dicom(make_dicom(values, bits=8), syntax)
    place = content.index(b"\xff\xda") + 200
    assert look(content).findings == ()
    seen = look(content[:place] + bytes(100) + content[place + 100 :])
    assert [kind for kind, _ in seen.findings] == ["damaged"]


def test_too_little_memory_is_no_damage(monkeypatch):
    def fail(*_, **__):
        raise MemoryError

    monkeypatch.setattr(base.Decoder, "as_array", fail)
    seen = look(make_dicom(draw_values(low=0, high=255), bits=8))
    assert seen.findings == (("unreadable", "too little memory to decode a DICOM image"),)
    assert not seen.is_of_the_file
