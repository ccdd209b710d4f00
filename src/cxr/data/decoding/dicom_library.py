"""pydicom, imported late and kept from talking: what it says may quote a patient's name."""

from __future__ import annotations

import logging
import re
import struct
import sys
import threading
import warnings
import zlib
from typing import Any, Final

from cxr.data.decoding.dicom_refusal import INSTALL, DicomRefusedError
from cxr.errors import IMPORT_FAULTS

_FAULTS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    Warning,
    struct.error,
    zlib.error,
)

_SPEAKERS: Final = re.compile(r"(pydicom|pylibjpeg|openjpeg|jpeg_ls|imagecodecs)\b")
_FILTER: Final = ("ignore", None, Warning, _SPEAKERS, 0)
_IMPORTING: Final = threading.Lock()


def import_pydicom(*, where: str) -> Any:
    """Return pydicom, its log and its warnings silenced.

    Args:
        where: The file that needs it, for an error.

    Raises:
        DicomRefusedError: It is not installed, or cannot be imported.
    """
    try:
        if sys.modules.get("pydicom.pixels.decoders") is None:
            with _IMPORTING, warnings.catch_warnings():
                # Decoders may warn of themselves as they are imported.
                warnings.simplefilter("ignore")
                import pydicom.pixels.decoders
        import pydicom
    except IMPORT_FAULTS as error:
        problem = "a DICOM image needs pydicom, which is not installed or cannot be imported"
        raise DicomRefusedError("no-decoder", problem, where=where, hint=INSTALL) from error
    _silence(pydicom)
    return pydicom


def list_faults(pydicom: Any) -> tuple[type[Exception], ...]:
    """Return what pydicom and its decoders raise for damaged files: they agree on no one error."""
    own = (pydicom.errors.BytesLengthException, pydicom.errors.InvalidDicomError)
    return (*_FAULTS, *own)


def _silence(pydicom: Any) -> None:
    """Keep pydicom from quoting values, whatever else uses it in this process.

    Elements are read as bytes and never checked by pydicom. Should it have something to say none
    the less, nobody hears it. A filter of one's own is set again where somebody took it away, and
    not within a context: contexts of several threads would undo each other.
    """
    log = logging.getLogger("pydicom")
    log.propagate = False
    log.handlers[:] = [logging.NullHandler()]
    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    if _FILTER not in warnings.filters:
        warnings.filterwarnings("ignore", module=_SPEAKERS.pattern)
