"""Unpacking a packed run that may come from anywhere.

Nothing of it is believed: an entry has to be named in ``pack.json``, be a regular file below the
directory, and be as large, and have the digest, that is stated there. It is read in blocks and
stopped at its stated size.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import shutil
import stat
import unicodedata
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, Any, Final

from cxr.atomic import atomic_writer, make_directory, write_bytes
from cxr.digests.canonical import PREFIX
from cxr.errors import RecordError, StorageError
from cxr.json_file import load_json_object
from cxr.records.run_directory import MANIFEST, PACK_INDEX
from cxr.reproduce.pack_format import SCHEMA, is_known_entry

_MAX_INDEX_BYTES: Final = 16 << 20
_MAX_ENTRIES: Final = 10_000
_BLOCK_BYTES: Final = 1 << 20

_OPTION: Final = "TMPDIR"
"""What names another place for it: it is unpacked into a temporary directory."""

_SMALL_BYTES: Final = 1 << 20
_MAX_RATIO: Final = 100
"""Records are packed to a third or a tenth; only what was made to grow is packed to less."""

# What zipfile raises for archives that are damaged, encrypted or packed in an unknown way.
_DAMAGED: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)


def unpack_run(path: Path, directory: Path) -> None:
    """Write every entry of a packed run below ``directory``.

    Args:
        path: The packed run.
        directory: Where to; must be new or empty.

    Raises:
        RecordError: An entry would leave the directory, is a link, is not as stated, or the file
            is damaged. What had been written is removed.
        StorageError: There is not enough space, or it cannot be written.
    """
    make_directory(directory, option=_OPTION)
    try:
        with zipfile.ZipFile(path) as archive:
            stated = _check_index(archive, path)
            _require_space(sum(entry["bytes"] for entry in stated.values()), directory)
            for name, entry in stated.items():
                _write_entry(archive, name, entry, directory, path)
            write_bytes(directory / PACK_INDEX, archive.read(PACK_INDEX), option=_OPTION)
            _require_stated_manifest(directory, path)
    except _DAMAGED as error:
        shutil.rmtree(directory)
        raise _refuse(path, f"it is damaged: {' '.join(str(error).split())[:200]}") from error
    except (RecordError, StorageError):
        shutil.rmtree(directory)
        raise


def _check_index(archive: zipfile.ZipFile, path: Path) -> dict[str, dict[str, Any]]:
    """Return the entries as stated, once names and kinds are as they must be."""
    found = archive.infolist()
    names = [info.filename for info in found]
    if len(found) > _MAX_ENTRIES:
        raise _refuse(path, f"it has {len(found):,} entries")
    if PACK_INDEX not in names:
        raise RecordError(
            "not a packed run: it holds no pack.json",
            where=str(path),
            hint="name a file that cxr reproduce --pack RUN wrote",
        )
    for info in found:
        _check_entry(info, path)
    folded = {unicodedata.normalize("NFC", name).casefold() for name in names}
    if len(folded) != len(names):
        raise _refuse(path, "two entries have one name")
    if archive.getinfo(PACK_INDEX).file_size > _MAX_INDEX_BYTES:
        raise _refuse(path, f"{PACK_INDEX} is too large")
    with archive.open(PACK_INDEX) as stream:
        index = _read_index(stream.read(_MAX_INDEX_BYTES + 1), path)
    if set(names) != {*index, PACK_INDEX}:
        odd = sorted(set(names) ^ {*index, PACK_INDEX})
        raise _refuse(path, f"its entries are not those that it states: {odd[0]!r}")
    for name, entry in index.items():
        if archive.getinfo(name).file_size != entry["bytes"]:
            raise _refuse(path, f"{name!r} is not of the size that it states")
    return index


def _require_stated_manifest(directory: Path, path: Path) -> None:
    """Refuse an archive whose index names another manifest than the one that came out of it."""
    if not (directory / MANIFEST).is_file():
        raise _refuse(path, "it holds no manifest")
    index, manifest = (load_json_object(directory / name) for name in (PACK_INDEX, MANIFEST))
    if index.get("manifest_digest") != manifest.get("manifest_digest"):
        raise _refuse(path, f"{PACK_INDEX} names another manifest than the one in it")


def _check_entry(info: zipfile.ZipInfo, path: Path) -> None:
    """Refuse an entry that is no regular file below the directory."""
    name = info.filename
    parts = PurePosixPath(name).parts
    plain = (
        name == "/".join(parts)
        and not PurePosixPath(name).is_absolute()
        and not PureWindowsPath(name).drive
        and not {"..", "."} & set(parts)
        and "\\" not in name
        and ":" not in name
        and not any(unicodedata.category(letter).startswith("C") for letter in name)
    )
    if not plain or info.orig_filename != name:
        raise _refuse(path, f"the entry {name!r} would leave the directory, or has no plain name")
    if not is_known_entry(name):
        raise _refuse(path, f"the entry {name!r} belongs to no packed run")
    if info.file_size > _SMALL_BYTES and info.file_size > _MAX_RATIO * info.compress_size:
        raise _refuse(path, f"the entry {name!r} would grow more than {_MAX_RATIO}-fold")
    mode = info.external_attr >> 16
    if info.is_dir() or (stat.S_IFMT(mode) and not stat.S_ISREG(mode)):
        raise _refuse(path, f"the entry {name!r} is a link, or no regular file")


def _read_index(content: bytes, path: Path) -> dict[str, dict[str, Any]]:
    """Return ``entries`` of ``pack.json``."""
    try:
        index = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _refuse(path, f"{PACK_INDEX} is not JSON") from error
    schema = index.get("schema") if isinstance(index, dict) else None
    if schema != SCHEMA:
        raise RecordError(
            f"the packed run has the schema {schema!r}, which this version does not read",
            where=str(path),
            hint=f"it reads {SCHEMA}; use the version of cxr that packed the run",
        )
    entries = index.get("entries")
    sound = isinstance(entries, dict) and all(
        isinstance(entry, dict)
        and type(entry.get("bytes")) is int
        and entry["bytes"] >= 0
        and isinstance(entry.get("sha256"), str)
        for entry in entries.values()
    )
    if not sound:
        raise _refuse(path, f"{PACK_INDEX} states no sizes and digests")
    return dict(entries)


def _require_space(num_bytes: int, directory: Path) -> None:
    """Refuse to begin what the disk cannot hold."""
    free_bytes = shutil.disk_usage(directory).free
    if num_bytes > free_bytes:
        raise StorageError(
            f"the packed run states {num_bytes:,} bytes, and {free_bytes:,} are free",
            where=str(directory),
            hint=f"free space there, or write elsewhere ({_OPTION})",
        )


def _write_entry(
    archive: zipfile.ZipFile, name: str, entry: dict[str, Any], directory: Path, path: Path
) -> None:
    """Write one entry, and never more of it than is stated."""
    target = directory / name
    make_directory(target.parent, option=_OPTION)
    with archive.open(name) as content, atomic_writer(target, option=_OPTION) as stream:
        digest = _copy(content, stream, entry["bytes"], name, path)
        if digest != entry["sha256"]:
            raise _refuse(path, f"{name!r} has another digest than it states")


def _copy(content: IO[bytes], stream: IO[bytes], num_bytes: int, name: str, path: Path) -> str:
    """Copy exactly ``num_bytes``, and return their digest."""
    state, left = hashlib.sha256(), num_bytes
    while block := content.read(min(left + 1, _BLOCK_BYTES)):
        left -= len(block)
        if left < 0:
            raise _refuse(path, f"{name!r} grows beyond its stated size")
        state.update(block)
        stream.write(block)
    if left:
        raise _refuse(path, f"{name!r} is shorter than it states")
    return PREFIX + state.hexdigest()


def _refuse(path: Path, problem: str) -> RecordError:
    """Return the error for an archive that is not unpacked."""
    return RecordError(
        f"the packed run is refused: {problem}",
        where=str(path),
        hint="get it again from whoever packed it with cxr reproduce --pack",
    )
