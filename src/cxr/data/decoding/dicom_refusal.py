"""What a DICOM file is refused for, in words of cxr's own."""

from __future__ import annotations

from typing import Final

from cxr.errors import DataError

INSTALL: Final = "install the optional extra: uv sync --extra dicom, or pip install 'cxr[dicom]'"
"""What to do where a decoder is missing."""


class DicomRefusedError(DataError):
    """A DICOM file that is not read.

    What a library says of a file may quote the patient's name, so none of it is repeated here: the
    problem is one of cxr's own sentences, with numbers and terms of the standard at most.

    Attributes:
        kind: A key of `cxr.data.checks.kinds.KINDS`.
    """

    def __init__(self, kind: str, problem: str, *, where: str, hint: str = "") -> None:
        restore = "restore the file from its source, or move it out of the data set"
        super().__init__(problem, where=where, hint=hint or restore)
        self.kind = kind
