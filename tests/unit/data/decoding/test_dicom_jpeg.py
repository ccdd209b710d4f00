"""JPEG Lossless and JPEG Extended, as DCMTK writes them and as damage leaves them."""

from __future__ import annotations

import hashlib
import importlib.util
from types import SimpleNamespace

import imagecodecs
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders import base
from pydicom.uid import JPEGExtended12Bit, JPEGLossless, JPEGLosslessSV1

from cxr.data.checks.kinds import KINDS
from cxr.data.decoding import dicom_jpeg
from cxr.data.decoding.dicom_jpeg import DECODER_DEPENDENCIES, PLUGIN, register
from cxr.data.decoding.dicom_picture import load_dicom
from cxr.data.decoding.dicom_refusal import DicomRefusedError
from cxr.data.inspection.inspect_file import inspect_file
from support.dicoms import BY_TURBO, draw_values, make_dicom, write_dicom

# By dcmcjpeg 3.6.7 of 12 bits in 12 rows and 10 columns: +el +sv 6, +e1, +ee +q 90.
BY_DCMTK = {
    JPEGLossless: (
        "ffd8ffe000104a46494600010100000100010000ffc3000b10000c000a01011100ffc400180001010101"
        "01000000000000000000000008070c0910ffda0008010100060000f7637b1bd8dec6f637b1bd8dec6f63"
        "52f69bba1928a358b019cdd4bda6ee864a28d62c06760dc4bda6ee864a28d62c0c19ba3752f69bba1928"
        "a358e0bfd19cdd4bda6ee864a28d62c0673752f69bba1928a3c161a3019cdd4bda6ee864a28d62c06737"
        "52f69bba1929828b458b019cdd4bda6ee864a28d62c0673752f69bba1b049e8a358b019cdd4bda6ee864"
        "a28d62c067377fffffd9"
    ),
    JPEGLosslessSV1: (
        "ffd8ffe000104a46494600010100000100010000ffc3000b10000c000a01011100ffc400180001010101"
        "0100000000000000000000000a09080c10ffda0008010100010000f58db1b636c6d8db1b636c6d8dd2f6"
        "aad55aab556aad55aab556ab4bdc7b8f71ee3dc7b8f71ee3f0e3697bc9792f25e4bc9792f270f1de4d2e"
        "80500a0140280500f100201403a5d0f21e43c8790f21ee21d43c87b4ba3b4768ed1da3be23a4768ed1de"
        "974b09612c2584b1c4ae9612c258d2e9d53aa754ebc4e89d53aa754eba5d49292524a4b8a4549292524a"
        "4b4baaf55eabf8ab957aaf55eabd57e97598b31667165acc598b31662ccfffd9"
    ),
    JPEGExtended12Bit: (
        "ffd8ffe000104a46494600010100000100010000ffdb0043000302020302020303030304030304050805"
        "050404050a070706080c0a0c0c0b0a0b0b0d0e12100d0e110e0b0b1016101113141515150c0f17181614"
        "1812141514ffc1000b0c000c000a01011100ffc4001500010100000000000000000000000000000c09ff"
        "c40027100000030507050000000000000000000000030805070b2754092843454662631838616472ffda"
        "0008010100003f0038d40b58647dbeca8a0cbfe7c05bb271864777975f2a34b32f2ff50ada21140b5b03"
        "51a5df65bd06217b78c2dd938d8188d3a7975f2df4b32f10ba42b8c7ffd9"
    ),
}
ROWS, COLUMNS = np.mgrid[:12, :10]
ROUGH = (COLUMNS * 397 + ROWS * 151 + COLUMNS * ROWS * 29) % 4096
SLOPE = (COLUMNS * 30 + ROWS * 20) * 4095 // 600


def wrap(stream, syntax, *, values=ROUGH, bits=12):
    made = make_dicom(values, bits=bits)
    made.PixelData = encapsulate([stream])
    made["PixelData"].VR = "OB"
    return write_dicom(made, syntax, compress=False)


def load(content):
    return load_dicom(content, where="a.dcm").stored


def refuse(content):
    with pytest.raises(DicomRefusedError) as caught:
        load(content)
    return caught.value


@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1], ids=lambda uid: uid.name)
def test_what_dcmtk_wrote_without_loss_comes_back(syntax):
    assert np.array_equal(load(wrap(bytes.fromhex(BY_DCMTK[syntax]), syntax)), ROUGH)


@pytest.mark.parametrize("predictor", range(1, 8))
def test_values_come_back_whatever_predicts_them(predictor):
    stream = imagecodecs.jpeg8_encode(
        ROUGH.astype(np.uint16), lossless=True, predictor=predictor, bitspersample=12
    )
    assert np.array_equal(load(wrap(stream, JPEGLossless)), ROUGH)


def test_what_dcmtk_wrote_with_loss_is_what_dcmtk_reads():
    stored = load(wrap(bytes.fromhex(BY_DCMTK[JPEGExtended12Bit]), JPEGExtended12Bit))
    assert np.abs(stored.astype(int) - SLOPE).max() == 2
    # Of dcmdjpeg 3.6.7.
    wanted = "f00674730956960f30aa2ed5da100d63212502a5dfc3249a996254bdc3464170"
    assert hashlib.sha256(stored.astype("<u2").tobytes()).hexdigest() == wanted


@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1], ids=lambda uid: uid.name)
def test_colours_come_back(syntax):
    values = draw_values(low=0, high=255)
    colours = np.stack([values, values.T, 255 - values], axis=-1)
    assert np.array_equal(load(write_dicom(make_dicom(colours, bits=8), syntax)), colours)


def test_eight_bits_come_back_from_sixteen_that_are_allocated():
    made = make_dicom(draw_values(low=0, high=255), bits=8)
    content = write_dicom(made, JPEGLosslessSV1)
    # BitsAllocated, which its writer may have left as it was.
    wide = content.replace(
        b"\x28\x00\x00\x01US\x02\x00\x08\x00", b"\x28\x00\x00\x01US\x02\x00\x10\x00"
    )
    assert wide != content
    assert np.array_equal(load(wide), draw_values(low=0, high=255))


def test_values_beyond_their_bits_are_damage():
    content = bytearray(write_dicom(make_dicom(ROUGH), JPEGLosslessSV1))
    place = content.index(b"\xff\xc3\x00\x0b") + 4
    assert content[place] == 12
    content[place] = 10
    error = refuse(bytes(content))
    assert (error.kind, "cannot be decoded" in error.problem) == ("damaged", True)


@pytest.mark.parametrize(("bits", "claimed"), [(8, 9), (8, 12), (8, 16), (12, 13), (12, 16)])
@pytest.mark.parametrize("syntax", [JPEGLossless, JPEGLosslessSV1], ids=lambda uid: uid.name)
def test_a_changed_number_of_bits_is_damage(syntax, bits, claimed):
    values = draw_values(low=0, high=2**bits - 1)
    content = bytearray(write_dicom(make_dicom(values, bits=bits), syntax))
    content[content.index(b"\xff\xc3\x00\x0b") + 4] = claimed
    assert refuse(bytes(content)).kind == "damaged"


@pytest.mark.parametrize("bits", [8, 10])
def test_a_header_of_fewer_bits_than_its_values_have_is_damage(bits):
    stream = bytes.fromhex(BY_DCMTK[JPEGLosslessSV1])
    assert refuse(wrap(stream, JPEGLosslessSV1, bits=bits)).kind == "damaged"


@pytest.mark.parametrize("precision", [12, 14, 16])
def test_a_sign_that_is_extended_into_unused_bits_is_no_damage(precision):
    values = draw_values(low=-2048, high=2047)
    made = make_dicom(values, signed=True)
    stream = imagecodecs.jpeg8_encode(
        (values & (2**precision - 1)).astype(np.uint16),
        lossless=True,
        predictor=1,
        bitspersample=precision,
    )
    made.PixelData = encapsulate([stream])
    made["PixelData"].VR = "OB"
    assert np.array_equal(load(write_dicom(made, JPEGLosslessSV1, compress=False)), values)


def test_what_is_coded_with_loss_is_never_brighter_than_white():
    edges = np.kron(np.indices((5, 5)).sum(0) % 2, np.ones((3, 3), int)) * 1023
    stream = imagecodecs.jpeg8_encode(edges.astype(np.uint16), level=40, bitspersample=12)
    assert imagecodecs.jpeg8_decode(stream).max() > 1023
    stored = load(wrap(stream, JPEGExtended12Bit, values=edges, bits=10))
    assert stored.max() == 1023
    assert np.corrcoef(stored.ravel(), edges.ravel())[0, 1] > 0.9


@pytest.mark.parametrize("marker", [b"\xff\xe0", b"\xff\xc3"], ids=["head", "frame"])
def test_a_stream_whose_frame_is_not_found_is_given_to_no_decoder(marker, monkeypatch):
    stream = bytes.fromhex(BY_DCMTK[JPEGLossless]).replace(marker, b"\x00\x00")
    monkeypatch.setattr(base.Decoder, "as_array", lambda *_, **__: pytest.fail("decoded"))
    error = refuse(wrap(stream, JPEGLossless))
    assert (error.kind, "no frame" in error.problem) == ("damaged", True)


@pytest.mark.parametrize("syntax", list(BY_TURBO), ids=lambda uid: uid.name)
def test_a_thousand_damaged_files_are_pictures_or_named(syntax):
    content = write_dicom(make_dicom(draw_values(low=0, high=4095, side_px=16)), syntax)
    start = content.index(b"\xff\xd8")
    draws = np.random.default_rng(5)
    kinds = set()
    for _ in range(1000):
        changed = bytearray(content)
        for place in draws.integers(start, len(content), size=draws.integers(1, 6)):
            changed[place] = draws.integers(256)
        look = inspect_file(bytes(changed), name="a.dcm")
        kinds |= {kind for kind, _ in look.findings}
        assert not look.pixels or (look.width, look.height) == (16, 16)
    assert {"damaged", "truncated"} <= kinds <= KINDS.keys()


@pytest.mark.parametrize("syntax", list(BY_TURBO), ids=lambda uid: uid.name)
def test_without_imagecodecs_it_is_named(syntax, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "imagecodecs" else find(name)
    )
    error = refuse(write_dicom(make_dicom(ROUGH), syntax))
    assert (error.kind, "needs imagecodecs" in error.problem) == ("no-decoder", True)


@pytest.mark.parametrize("answer", [False, ImportError("libLerc.so.4")])
def test_where_imagecodecs_cannot_decode_it_is_named(answer, monkeypatch):
    def answer_so(_):
        if answer:
            raise answer
        return False

    monkeypatch.setattr(dicom_jpeg, "is_available", answer_so)
    decoder = SimpleNamespace(available_plugins=(), UID=JPEGLossless)
    with pytest.raises(DicomRefusedError) as caught:
        register(decoder, where="a.dcm")
    assert (caught.value.kind, "cxr[dicom]" in caught.value.hint) == ("no-decoder", True)


def test_the_plug_in_is_made_known_once():
    decoder = base.get_decoder(JPEGLossless)
    for _ in range(2):
        register(decoder, where="a.dcm")
    assert decoder.available_plugins.count(PLUGIN) == 1
    assert set(DECODER_DEPENDENCIES) == set(BY_TURBO)
