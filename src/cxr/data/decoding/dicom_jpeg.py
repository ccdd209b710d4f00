"""JPEG Lossless and JPEG Extended in DICOM, by libjpeg-turbo: a plug-in for pydicom.

Of pydicom's own plug-ins for them GDCM ends the process on some damaged files, and the other one is
under the GPL. Decoding a lossless file is adding integers: every decoder gives the same values.
Source: ITU-T T.81, annex H; the interface is that of pydicom's guide "Decoder plugins".
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from cxr.data.decoding.dicom_codestream import find_frame
from cxr.data.decoding.dicom_refusal import INSTALL, DicomRefusedError
from cxr.data.decoding.jpeg_scans import LOSSLESS
from cxr.errors import IMPORT_FAULTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLUGIN: Final = "cxr-libjpeg-turbo"
"""What pydicom knows it by."""

DECODER_DEPENDENCIES: Final[dict[str, tuple[str, ...]]] = {
    "1.2.840.10008.1.2.4.51": ("imagecodecs",),
    "1.2.840.10008.1.2.4.57": ("imagecodecs",),
    "1.2.840.10008.1.2.4.70": ("imagecodecs",),
}
"""What pydicom asks a plug-in for: the transfer syntaxes, and what decodes each."""

_BYTE: Final = 8
_WORD: Final = 16
_REGISTERING: Final = threading.Lock()


def is_available(uid: str) -> bool:
    """Say whether a transfer syntax can be decoded here."""
    import imagecodecs

    return uid in DECODER_DEPENDENCIES and bool(imagecodecs.JPEG8.available)


def register(decoder: Any, *, where: str) -> None:
    """Make a decoder of pydicom know the plug-in; nothing happens a second time.

    Args:
        decoder: Of one of the transfer syntaxes.
        where: The file that needs it, for an error.

    Raises:
        DicomRefusedError: imagecodecs cannot be imported, or was built without libjpeg-turbo.
    """
    with _REGISTERING:
        if PLUGIN in decoder.available_plugins:
            return
        try:
            found = is_available(decoder.UID)
        except IMPORT_FAULTS:
            found = False
        if not found:
            problem = "a DICOM image needs imagecodecs, which cannot be imported or decodes no JPEG"
            raise DicomRefusedError("no-decoder", problem, where=where, hint=INSTALL)
        decoder.add_plugin(PLUGIN, (__name__, decode_frame.__name__))


def decode_frame(stream: bytes, runner: Any) -> bytes:
    """Return the stored values of a frame, little-endian, colours pixel by pixel.

    Args:
        stream: A JPEG.
        runner: What pydicom knows of the image; is told how the values are laid out.

    Raises:
        ValueError: A value has more bits than the JPEG or the header says, as after a changed byte.
        RuntimeError: libjpeg-turbo cannot decode it.
    """
    import imagecodecs

    # Equal colour spaces: whatever values mean, they are taken as they are stored.
    space = "rgb" if runner.samples_per_pixel > 1 else "gray"
    values: NDArray[Any]
    values = imagecodecs.jpeg8_decode(stream, colorspace=space, outcolorspace=space)
    frame = find_frame(stream)
    if frame is None or int(values.max()) >> frame.precision:
        raise ValueError("a value has more bits than its JPEG says")
    signed, stored = runner.pixel_representation == 1, runner.bits_stored
    if frame.marker == LOSSLESS:
        _require_stored_bits(values, frame.precision, stored, signed=signed)
    elif not signed:
        # What is coded with loss may be a little brighter than white.
        values = values.clip(max=(1 << stored) - 1)
    runner.set_option("bits_allocated", _BYTE if values.dtype.itemsize == 1 else _WORD)
    if values.ndim > 2:  # noqa: PLR2004 - rows, columns and colours
        runner.set_option("planar_configuration", 0)
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def _require_stored_bits(
    values: NDArray[Any], precision: int, stored: int, *, signed: bool
) -> None:
    """Refuse values with more bits than the header says; writers may extend a sign into the rest.

    Source: DICOM PS3.5, 8.2.1: what is compressed has no overlays in unused bits.

    Raises:
        ValueError: One has more.
    """
    beyond = values >> stored
    if signed and precision > stored:
        ones = (1 << (precision - stored)) - 1
        is_negative = (values >> (stored - 1)) & 1 == 1
        beyond = beyond[~(is_negative & (beyond == ones))]
    if beyond.any():
        raise ValueError("a value has more bits than the header says")
