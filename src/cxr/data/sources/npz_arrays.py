"""Reading arrays from an npz file: never a pickle, in bounded memory, every byte checked.

An npz file is a zip of npy files. What is in it is judged by its headers before anything of that
size is read, and the zip's own CRC-32 of an array is checked before its values are used.

Source: the format of npy files, as ``numpy.lib.format`` states it.
"""

from __future__ import annotations

import contextlib
import math
import tempfile
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from cxr.atomic import storage_errors
from cxr.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_UNPACKED_BYTES: Final = 16 * 2**30
"""Largest compressed array that is unpacked; one that is stored as it is may have any size."""
MAX_LOADED_BYTES: Final = 2**30
"""Largest array that is held in memory, as labels are."""

_CHUNK_BYTES: Final = 2**20
_LOCAL_HEADER_BYTES: Final = 30
_FAULTS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    OSError,
    RuntimeError,
    SyntaxError,
    ValueError,
    tokenize.TokenError,
)
"""What zipfile and numpy raise for damaged, encrypted or foreign content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayHeader:
    """What an npz file says of one of its arrays.

    Attributes:
        file: The npz file.
        name: The array's name.
        shape: Its shape.
        dtype: Its dtype; never one of Python objects.
        is_column_major: Whether the first axis runs fastest.
        member: Its entry in the zip.
        start: Where in the member values begin, in bytes.
    """

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_column_major: bool
    member: zipfile.ZipInfo
    start: int

    @property
    def num_bytes(self) -> int:
        """Size of all values."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_headers(file: Path, names: tuple[str, ...]) -> dict[str, ArrayHeader]:
    """Return the headers of those arrays that are there.

    Args:
        file: The npz file.
        names: Names of arrays.

    Raises:
        DataError: It is no npz file, is damaged, or an array holds Python objects.
    """
    with _explained(file), zipfile.ZipFile(file) as archive:
        members = {info.filename: info for info in archive.infolist()}
        return {
            name: _read_header(file, archive, name, members[f"{name}.npy"])
            for name in names
            if f"{name}.npy" in members
        }


def _read_header(
    file: Path, archive: zipfile.ZipFile, name: str, member: zipfile.ZipInfo
) -> ArrayHeader:
    from numpy.lib import format as npy

    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
        if version not in readers:
            raise ValueError(f"{name} has the npy version {version[0]}.{version[1]}")
        shape, is_column_major, dtype = readers[version](stream)
        header = ArrayHeader(
            file=file,
            name=name,
            shape=shape,
            dtype=dtype,
            is_column_major=is_column_major,
            member=member,
            start=stream.tell(),
        )
    if dtype.hasobject:
        raise DataError(
            f"the array {name} holds Python objects: a pickle, which could run anything",
            where=str(file),
            hint="save it as numbers; pickles are never read",
        )
    if header.start + header.num_bytes != member.file_size:
        raise ValueError(f"{name} has other than the {header.num_bytes:,} bytes of its shape")
    return header


def load_array(header: ArrayHeader) -> NDArray[Any]:
    """Read a small array into memory.

    Raises:
        DataError: It is damaged, or larger than `MAX_LOADED_BYTES`.
    """
    import numpy as np

    if header.num_bytes > MAX_LOADED_BYTES:
        raise _too_large(header, MAX_LOADED_BYTES)
    content = b"".join(_iterate_values(header))
    order: Any = "F" if header.is_column_major else "C"
    return np.frombuffer(content, dtype=header.dtype).reshape(header.shape, order=order)


def map_array(header: ArrayHeader) -> NDArray[Any]:
    """Check an array and return it, read-only, without holding it in memory.

    One that is stored as it is is mapped where it lies; a compressed one is unpacked into a
    temporary file that has no name, and goes with the process.

    Raises:
        DataError: It is damaged, or unpacks to more than `MAX_UNPACKED_BYTES`.
        StorageError: There is no room for the temporary file.
    """
    import numpy as np

    if not header.num_bytes:
        return np.zeros(header.shape, dtype=header.dtype)
    if header.member.compress_type == zipfile.ZIP_STORED:
        for _ in _iterate_values(header):
            pass  # only to have them checked
        with _explained(header.file):
            offset = _find_content(header) + header.start
            return np.memmap(header.file, header.dtype, "r", offset, header.shape)
    if header.num_bytes > MAX_UNPACKED_BYTES:
        raise _too_large(header, MAX_UNPACKED_BYTES)
    with (
        storage_errors(Path(tempfile.gettempdir()), option="TMPDIR"),
        tempfile.TemporaryFile() as unpacked,
    ):
        for chunk in _iterate_values(header):
            unpacked.write(chunk)
        unpacked.flush()
        return np.memmap(unpacked, header.dtype, "r", 0, header.shape)


def _iterate_values(header: ArrayHeader) -> Iterator[bytes]:
    """Yield an array's bytes, a chunk at a time; with the last one zipfile checks the CRC-32."""
    with (
        _explained(header.file),
        zipfile.ZipFile(header.file) as archive,
        archive.open(header.member) as stream,
    ):
        _read_exactly(stream, header.start)
        left = header.num_bytes
        while left:
            chunk = _read_exactly(stream, min(left, _CHUNK_BYTES))
            left -= len(chunk)
            yield chunk


def _read_exactly(stream: IO[bytes], num_bytes: int) -> bytes:
    content = stream.read(num_bytes)
    if len(content) != num_bytes:
        raise EOFError("an array ends too early")
    return content


def _find_content(header: ArrayHeader) -> int:
    """Return where in the file a stored member's content begins.

    Source: APPNOTE.TXT of PKWARE, 4.3.7: the local header's name and extra field, whose lengths
    stand at bytes 26 and 28, may differ from those of the directory.
    """
    with header.file.open("rb") as stream:
        stream.seek(header.member.header_offset)
        local = _read_exactly(stream, _LOCAL_HEADER_BYTES)
    lengths = int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")
    return header.member.header_offset + _LOCAL_HEADER_BYTES + lengths


def _too_large(header: ArrayHeader, limit_bytes: int) -> DataError:
    return DataError(
        f"the array {header.name} unpacks to {header.num_bytes:,} bytes, "
        f"of which {limit_bytes:,} are allowed",
        where=str(header.file),
        hint="check where the file is from; numpy.savez writes images uncompressed, of any size",
    )


@contextlib.contextmanager
def _explained(file: Path) -> Iterator[None]:
    """Turn what is raised for damaged content into an error with three lines."""
    try:
        yield
    except DataError:
        raise
    except _FAULTS as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError(
            f"the npz file cannot be read: {' '.join(said.split()) or type(error).__name__}",
            where=str(file),
            hint="download it again, and compare its checksum with the published one",
        ) from error
