from __future__ import annotations

import importlib.util
import io
import sys
import warnings
from fractions import Fraction

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import apply_rescale, apply_windowing
from pydicom.uid import ExplicitVRBigEndian, JPEGBaseline8Bit

from cxr.data.decoding.decode import DecodePlan, decode_image
from cxr.data.decoding.dicom_picture import load_dicom, open_dicom
from cxr.data.decoding.dicom_refusal import DicomRefusedError
from cxr.data.decoding.dicom_syntaxes import SYNTAXES
from cxr.data.decoding.window import Window
from support.dicoms import LOSSLESS, NATIVE, draw_values, encode_jpeg, make_dicom, write_dicom

FILE = Window(kind="file")
WHOLE = Window(kind="percentile", low=0, high=100)


COMPRESSED = (*LOSSLESS, JPEGBaseline8Bit)


def find_pixels(content, syntax):
    """Return where the element of the pixels starts."""
    tag = b"\x7f\xe0\x00\x10" if syntax == ExplicitVRBigEndian else b"\xe0\x7f\x10\x00"
    return content.index(tag)


def show(made, window=FILE, syntax=NATIVE[1]):
    content = made if isinstance(made, bytes) else write_dicom(made, syntax)
    return np.asarray(open_dicom(content, window, where="a.dcm"))


def refusal(content, window=FILE):
    with pytest.raises(DicomRefusedError) as caught:
        show(content, window)
    return caught.value


@pytest.mark.parametrize(
    ("bits", "signed", "low", "high"),
    [
        (8, False, 0, 255),
        (10, False, 0, 1023),
        (12, False, 0, 4095),
        (12, True, -2048, 2047),
        (16, False, 0, 65535),
        (16, True, -32768, 32767),
    ],
)
@pytest.mark.parametrize("syntax", [*NATIVE, *LOSSLESS], ids=lambda uid: uid.name)
def test_stored_values_come_back_whatever_the_transfer_syntax(syntax, bits, signed, low, high):
    values = draw_values(low=low, high=high)
    content = write_dicom(make_dicom(values, bits=bits, signed=signed), syntax)
    assert np.array_equal(load_dicom(content, where="x").stored, values)


def test_a_baseline_jpeg_is_decoded_as_pillow_decodes_it():
    from io import BytesIO

    from PIL import Image

    made = make_dicom(draw_values(low=0, high=255), bits=8)
    with Image.open(BytesIO(encode_jpeg(made))) as picture:
        wanted = np.asarray(picture)
    assert np.array_equal(show(made, None, JPEGBaseline8Bit), wanted)


def test_bits_that_are_not_stored_are_left_out():
    # Overlays used to stand there, and some writers leave what they like.
    values = draw_values(low=-2048, high=2047)
    made = make_dicom(values, signed=True)
    dirty = (values & 0x0FFF) | 0x5000
    made.PixelData = dirty.astype("<u2").tobytes()
    assert np.array_equal(load_dicom(write_dicom(made), where="x").stored, values)


@pytest.mark.parametrize("function", ["", "LINEAR", "LINEAR_EXACT"])
@pytest.mark.parametrize(
    ("slope", "intercept", "center", "width"),
    [("1", "0", "2048", "4096"), ("0.5", "-1000.25", "40.5", "400"), ("-2", "4000", "100", "1.5")],
)
def test_a_file_s_own_window_is_that_of_the_standard(function, slope, intercept, center, width):
    made = make_dicom(
        draw_values(low=0, high=4095),
        RescaleSlope=slope,
        RescaleIntercept=intercept,
        WindowCenter=[center, "7"],
        WindowWidth=[width, "9"],
    )
    if function:
        made.VOILUTFunction = function
    rescaled = apply_rescale(made.pixel_array, made)
    # pydicom's darkest value is what 0 stands for and its brightest what 4095 does.
    stretched = apply_windowing(rescaled, made)
    darkest = float(Fraction(intercept))
    brightest = float(Fraction(slope) * 4095 + Fraction(intercept))
    wanted = (stretched - darkest) / (brightest - darkest) * 255
    assert set(np.unique(wanted.round())) >= {0, 255}
    assert np.abs(show(made).astype(float) - wanted).max() <= 0.5 + 1e-9


def test_monochrome1_is_shown_as_monochrome2():
    values = draw_values(low=0, high=4095)
    window = Window(kind="range", low=0, high=4095)
    plain = show(make_dicom(values), window)
    turned = show(make_dicom(values, PhotometricInterpretation="MONOCHROME1"), window)
    assert np.array_equal(turned, 255 - plain)
    assert (plain[0, 0], plain[0, 1]) == (0, 255)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_counts_in_no_percentile(photometric):
    values = draw_values(low=100, high=900)
    values[5:9] = 4000
    values[9] = 4010
    made = make_dicom(values, PhotometricInterpretation=photometric)
    made.add_new("PixelPaddingValue", "US", 4000)
    made.add_new("PixelPaddingRangeLimit", "US", 4095)
    shown = show(made, WHOLE)
    assert not shown[5:10].any()
    ends = (255, 0) if photometric == "MONOCHROME1" else (0, 255)
    assert (shown[0, 0], shown[0, 1]) == ends


def test_negative_padding_is_found_among_signed_values():
    values = draw_values(low=-500, high=500)
    values[3] = -2000
    made = make_dicom(values, bits=16, signed=True)
    made.add_new("PixelPaddingValue", "SS", -2000)
    shown = show(made, WHOLE)
    assert (shown[0, 0], shown[0, 1], shown[3].max()) == (0, 255, 0)


def test_percentiles_are_of_what_values_stand_for():
    values = draw_values(low=0, high=1000)
    shown = show(make_dicom(values, RescaleSlope="-1", RescaleIntercept="1000"), WHOLE)
    assert (shown[0, 0], shown[0, 1]) == (255, 0)


def test_an_8_bit_image_needs_no_window_and_others_do():
    values = draw_values(low=0, high=255)
    for window in (None, FILE):
        assert np.array_equal(show(make_dicom(values, bits=8), window), values)
    for made in (
        make_dicom(values, bits=12),
        make_dicom(values - 128, bits=8, signed=True),
        make_dicom(values, bits=8, RescaleSlope="2", RescaleIntercept="0"),
    ):
        content = write_dicom(made)
        error = refusal(content, None)
        assert (error.kind, "no window is declared" in error.problem) == ("16-bit", True)
        error = refusal(content, FILE)
        assert (error.kind, "names no window of its own" in error.problem) == ("16-bit", True)


def test_colours_stay_and_are_resized_like_any_picture():
    colour = np.stack([draw_values(low=0, high=255, side_px=16)] * 3, axis=2)
    colour[..., 1] //= 2
    content = write_dicom(make_dicom(colour, bits=8))
    plan = DecodePlan(size_px=16, channels=3, resample="bilinear")
    assert np.array_equal(decode_image(content, plan, where="no-suffix"), colour)


def without(keyword):
    made = make_dicom(draw_values(low=0, high=4095))
    del made[keyword]
    return made


@pytest.mark.parametrize(
    ("elements", "kind", "said"),
    [
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "palette", "PALETTE COLOR"),
        ({"PhotometricInterpretation": "CMYK"}, "cmyk", "CMYK"),
        ({"PhotometricInterpretation": "HSV"}, "colour-space", "HSV"),
        ({"NumberOfFrames": 3}, "multi-frame", "3 pictures"),
        ({"SamplesPerPixel": 3}, "damaged", "3 values a pixel"),
        ({"HighBit": 15}, "damaged", "HighBit"),
        ({"BitsStored": 17}, "damaged", "17 bits in 16"),
        ({"BitsAllocated": 32}, "32-bit", "32 bits"),
        ({"Rows": 60000, "Columns": 60000}, "bomb", "60000 x 60000"),
        # The limit is that of every other format, between these two.
        ({"Rows": 9459, "Columns": 9460}, "bomb", "9460 x 9459"),
        ({"Rows": 9459, "Columns": 9459}, "truncated", "3,200 of 178,945,362 bytes"),
        ({"Rows": 41}, "truncated", "3,200 of 3,280 bytes"),
        ({"RescaleSlope": "0"}, "damaged", "RescaleSlope is 0"),
        ({"VOILUTFunction": "SIGMOID"}, "unsupported-window", "SIGMOID"),
        ({"WindowWidth": "0.5"}, "damaged", "WindowWidth"),
    ],
)
def test_what_is_not_read_is_refused_by_name(elements, kind, said):
    elements = {"WindowCenter": "2048", "WindowWidth": "4096", **elements}
    made = make_dicom(draw_values(low=0, high=4095))
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    error = refusal(write_dicom(made))
    assert error.kind == kind
    assert said in error.problem


@pytest.mark.parametrize("keyword", ["ModalityLUTSequence", "VOILUTSequence"])
def test_tables_instead_of_lines_are_refused(keyword):
    made = make_dicom(draw_values(low=0, high=4095), **{keyword: [pydicom.Dataset()]})
    assert (
        keyword.replace("Sequence", "").replace("LUT", " LUT") in refusal(write_dicom(made)).problem
    )


@pytest.mark.parametrize("syntax", [*NATIVE, *COMPRESSED], ids=lambda uid: uid.name)
def test_every_cut_is_truncated_once_the_image_is_described(syntax):
    content = write_dicom(make_dicom(draw_values(low=0, high=255), bits=8), syntax)
    start = find_pixels(content, syntax)
    head, end = range(start - 40, start + 40), range(len(content) - 40, len(content))
    for size in (*head, len(content) // 2, *end):
        error = refusal(content[:size], None)
        assert (error.kind, "\n" in error.problem) == ("truncated", False), size - len(content)
    assert refusal(content[:140], None).kind == "not-an-image"
    # Within an element's head, and before the image is described.
    assert refusal(content[:154], None).kind == "truncated"
    assert refusal(content[:200], None).kind == "not-an-image"


def test_a_cut_within_a_sequence_is_truncated():
    made, view = make_dicom(draw_values(low=0, high=255), bits=8), pydicom.Dataset()
    view.CodeMeaning, view.is_undefined_length_sequence_item = "x" * 60, True
    made.ViewCodeSequence = [view]
    made["ViewCodeSequence"].is_undefined_length = True
    content = write_dicom(made)
    start = content.index(b"xxx")
    for size in range(start - 20, start + 76):
        assert refusal(content[:size], None).kind == "truncated"


@pytest.mark.parametrize("syntax", COMPRESSED, ids=lambda uid: uid.name)
def test_what_follows_a_compressed_part_makes_it_no_shorter(syntax):
    values = draw_values(low=0, high=255)
    content = write_dicom(make_dicom(values, bits=8), syntax)
    plain = show(content, None)
    padding = b"\xfc\xff\xfc\xffOB\0\0\x08\0\0\0" + bytes(8)
    for behind in (padding, b"\0", bytes(3), bytes(512)):
        assert np.array_equal(show(content + behind, None), plain)
    # Both pydicom and DCMTK go on whatever the delimiter's length is, if there is one.
    assert np.array_equal(show(content[:-4] + b"\1\0\0\0", None), plain)
    assert refusal(content[:-4] + b"\0\0\0", None).kind == "truncated"


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, *LOSSLESS[1:]], ids=lambda uid: uid.name)
def test_a_cut_compressed_part_in_a_whole_file_is_truncated(syntax):
    # Decoders fill the rest with grey, or with what was in memory.
    made = pydicom.dcmread(
        io.BytesIO(write_dicom(make_dicom(draw_values(low=0, high=255), bits=8), syntax))
    )
    [stream] = generate_frames(made.PixelData, number_of_frames=1)
    made.PixelData = encapsulate([stream[:-40]])
    assert refusal(write_dicom(made, syntax, compress=False), None).kind == "truncated"


def test_a_compressed_part_that_claims_another_size_is_not_believed():
    made = make_dicom(draw_values(low=0, high=255), bits=8)
    for syntax in (JPEGBaseline8Bit, *LOSSLESS[1:]):
        content = write_dicom(made.__deepcopy__({}), syntax)
        taller = content.replace(
            b"\x28\x00\x10\x00US\x02\x00\x28\x00", b"\x28\x00\x10\x00US\x02\x00\x29\x00"
        )
        assert taller != content
        assert "another size" in refusal(taller, None).problem


def test_a_file_without_meta_information_is_read_if_it_is_an_image():
    values = draw_values(low=0, high=4095)
    for syntax in (NATIVE[0], NATIVE[1]):
        content = write_dicom(make_dicom(values), syntax)
        start = content.index(b"\x08\x00\x16\x00")
        assert np.array_equal(load_dicom(content[start:], where="x.dcm").stored, values)
    for content in (b"<html>no such image</html>", b"\0" * 1000, b"", b"\x89PNG\r\n\x1a\n" * 20):
        assert refusal(content).kind == "not-an-image"


def test_a_dicom_without_pixels_is_no_image():
    assert refusal(write_dicom(without("PixelData"))).kind == "truncated"
    made = without("PixelData")
    for keyword in ("Rows", "Columns", "BitsStored"):
        del made[keyword]
    assert refusal(write_dicom(made)).kind == "not-an-image"


@pytest.mark.parametrize("uid", [uid for uid, syntax in SYNTAXES.items() if syntax.plugin is None])
def test_an_unread_transfer_syntax_is_named_and_never_opened(uid, monkeypatch):
    content = write_dicom(make_dicom(draw_values(low=0, high=4095)))
    padded = uid.encode() + b"\0" * (len(uid) % 2)
    old = NATIVE[1].encode() + b"\0"
    changed = content.replace(
        b"UI" + len(old).to_bytes(2, "little") + old,
        b"UI" + len(padded).to_bytes(2, "little") + padded,
    )
    monkeypatch.setitem(sys.modules, "pydicom", None)
    error = refusal(changed)
    assert error.kind == "unsupported-transfer-syntax"
    assert SYNTAXES[uid].name in error.problem


def test_without_pydicom_the_extra_is_named(monkeypatch):
    content = write_dicom(make_dicom(draw_values(low=0, high=4095)))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    error = refusal(content)
    assert (error.kind, "cxr[dicom]" in error.hint) == ("no-decoder", True)


def test_without_a_decoder_its_package_is_named(monkeypatch):
    content = write_dicom(make_dicom(draw_values(low=0, high=4095)), LOSSLESS[1])
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "openjpeg" else find(name)
    )
    error = refusal(content)
    assert error.kind == "no-decoder"
    assert "JPEG 2000 Lossless needs pylibjpeg-openjpeg" in error.problem


def test_each_syntax_has_one_decoder_whatever_else_is_installed(monkeypatch):
    from pydicom.pixels.decoders import base

    asked = []
    decode = base.Decoder.as_array

    def spy(self, *args, decoding_plugin="", **options):
        asked.append(decoding_plugin)
        return decode(self, *args, decoding_plugin=decoding_plugin, **options)

    monkeypatch.setattr(base.Decoder, "as_array", spy)
    for syntax in LOSSLESS:
        load_dicom(write_dicom(make_dicom(draw_values(low=0, high=4095)), syntax), where="x")
    assert asked == ["pydicom", "pylibjpeg", "pyjpegls", *["cxr-libjpeg-turbo"] * 2]


_LOUD = """
def read_loudly(*arguments, **options):
    warn_and_log("Planted^Name")
    logger.error("Planted^Name")
    return dcmread(*arguments, **options)
"""


def test_nobody_hears_what_pydicom_says(monkeypatch, capfd, caplog):
    content = write_dicom(make_dicom(draw_values(low=0, high=255), bits=8))
    names = dict(vars(pydicom.filereader))
    exec(_LOUD, names)  # noqa: S102 - a function of pydicom's own module, as warnings see it
    monkeypatch.setattr(pydicom, "dcmread", names["read_loudly"])
    with warnings.catch_warnings(record=True) as heard:
        # Somebody takes the filter away.
        warnings.resetwarnings()
        warnings.simplefilter("always")
        assert show(content, None).shape == (40, 40)
    assert (heard, caplog.text, *capfd.readouterr()) == ([], "", "", "")
