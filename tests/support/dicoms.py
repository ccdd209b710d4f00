"""Small DICOM files, written by pydicom, each with what a test needs to be odd about it."""

from __future__ import annotations

import io
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian)
BY_PYDICOM = (RLELossless, JPEG2000Lossless, JPEGLSLossless)
LOSSLESS = (*BY_PYDICOM, JPEGLossless, JPEGLosslessSV1)
# How libjpeg-turbo encodes what pydicom does not.
BY_TURBO = {
    JPEGLossless: {"lossless": True, "predictor": 6},
    JPEGLosslessSV1: {"lossless": True, "predictor": 1},
    JPEGExtended12Bit: {"level": 95},
}


def draw_values(*, low: int, high: int, side_px: int = 40) -> np.ndarray:
    """Return values from ``low`` to ``high``, both among them, without any symmetry."""
    rows, columns = np.mgrid[:side_px, :side_px].astype(np.int64)
    values = low + (rows * 7919 + columns * 104_729 + rows * columns * 31) % (high - low + 1)
    values[0, :2] = low, high
    return values


def make_dicom(
    values: np.ndarray, *, bits: int = 12, signed: bool = False, **elements: Any
) -> FileDataset:
    """Return a grey image with these stored values, or a colour one of shape (rows, columns, 3)."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.1"
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    made = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    made.SOPClassUID, made.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3.4"
    made.Rows, made.Columns = values.shape[:2]
    made.SamplesPerPixel = 1 if values.ndim == 2 else 3
    made.PhotometricInterpretation = "MONOCHROME2" if values.ndim == 2 else "RGB"
    if values.ndim == 3:
        made.PlanarConfiguration = 0
    made.BitsAllocated = 8 if bits <= 8 else 16
    made.BitsStored, made.HighBit, made.PixelRepresentation = bits, bits - 1, int(signed)
    kind = f"<{'i' if signed else 'u'}{made.BitsAllocated // 8}"
    # Explicit little endian until it is written otherwise.
    made.PixelData = values.astype(kind).tobytes()
    made["PixelData"].VR = "OB" if bits <= 8 else "OW"
    for keyword, value in elements.items():
        setattr(made, keyword, value)
    return made


def write_dicom(
    made: Dataset, syntax: str = ExplicitVRLittleEndian, *, compress: bool = True
) -> bytes:
    """Return the bytes of a file in a transfer syntax, its pixels compressed unless they are."""
    if not compress:
        return _write(made, syntax)
    if syntax in BY_PYDICOM:
        made.compress(syntax, generate_instance_uid=False)
    if syntax == JPEGBaseline8Bit:
        made.PixelData = encapsulate([encode_jpeg(made)])
        made["PixelData"].VR = "OB"
    if syntax in BY_TURBO:
        made.PixelData = encapsulate([_encode_by_turbo(made, **BY_TURBO[syntax])])
        made["PixelData"].VR = "OB"
    if syntax == ExplicitVRBigEndian and made.BitsAllocated == 16:
        made.PixelData = np.frombuffer(made.PixelData, "<u2").astype(">u2").tobytes()
    return _write(made, syntax)


def wrap_jpeg(jpeg: bytes, *, side_px: int) -> bytes:
    """Return the bytes of a square grey image in JPEG Baseline, whatever its JPEG holds."""
    made = make_dicom(draw_values(low=0, high=255, side_px=side_px).astype(np.uint8), bits=8)
    made.PixelData = encapsulate([jpeg])
    return write_dicom(made, JPEGBaseline8Bit, compress=False)


def _write(made: Dataset, syntax: str) -> bytes:
    stream = io.BytesIO()
    made.file_meta.TransferSyntaxUID = syntax
    pydicom.dcmwrite(stream, made, enforce_file_format=True)
    return stream.getvalue()


def _encode_by_turbo(made: Dataset, **options: Any) -> bytes:
    """Return the JPEG of a file's values: unused bits are no part of them, and signs are bits."""
    space = "rgb" if made.SamplesPerPixel == 3 else "gray"
    shape = (made.Rows, made.Columns, *([3] if space == "rgb" else []))
    values = np.frombuffer(made.PixelData, f"<u{made.BitsAllocated // 8}").reshape(shape)
    values = values & (2**made.BitsStored - 1)
    jpeg: bytes = imagecodecs.jpeg8_encode(
        values.astype(f"<u{made.BitsAllocated // 8}"),
        bitspersample=made.BitsStored,
        colorspace=space,
        outcolorspace=space,
        **options,
    )
    return jpeg


def encode_jpeg(made: Dataset) -> bytes:
    """Return the JPEG that a file in JPEG Baseline holds."""
    stream = io.BytesIO()
    pixels = np.frombuffer(made.PixelData, np.uint8)[: made.Rows * made.Columns]
    Image.fromarray(pixels.reshape(made.Rows, made.Columns)).save(stream, "JPEG")
    return stream.getvalue()
