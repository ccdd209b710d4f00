"""Packing a run into one file: its records, its code and its weights, without the images.

The same run gives the same bytes. What is in such a file is said in `cxr.reproduce.pack_format`.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cxr.atomic import output_writer, write_text
from cxr.config.schema import FileWeights
from cxr.digests.canonical import canonical_json
from cxr.digests.files import digest_file
from cxr.digests.weights_file import digest_weights_file
from cxr.environment.private_text import find_private_line
from cxr.errors import RecordError, RunDirectoryTakenError
from cxr.records.free_place import require_outside_records
from cxr.records.run_directory import CONFIG, MANIFEST, PACK_INDEX
from cxr.reproduce.pack_format import (
    RECORDS,
    SCHEMA,
    SOURCES,
    WEIGHTS_IN,
)
from cxr.reproduce.record import Record, dump_config_without_paths, load_record_config, open_record
from cxr.reproduce.sources import Sources, find_sources

_BLOCK_BYTES: Final = 1 << 20
# The first moment that a ZIP file can name: entries have no time of their own.
_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_FILE_MODE: Final = (stat.S_IFREG | 0o644) << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What was packed.

    Attributes:
        path: The file.
        entries: Names of its entries.
        size_bytes: Its size.
        code: Where the packed sources come from, or why there are none.
        weights: What is there of the weights that the run started from; None if it drew them.
    """

    path: Path
    entries: tuple[str, ...]
    size_bytes: int
    code: str
    weights: str | None


def pack_run(
    run: Path,
    out: Path,
    *,
    weights: Path | None = None,
    repository: Path | None = None,
    scratch: Path,
) -> Packed:
    """Write a packed run.

    Args:
        run: A run directory; the run completed.
        out: The file to write; none may be there.
        weights: The file of the weights that it started from; None: where it was.
        repository: A checkout of cxr to take commits from; None: the one that cxr runs from.
        scratch: An empty directory.

    Raises:
        RecordError: The run is not complete, was edited, or is packed already.
        RunDirectoryTakenError: Something stands where the file would be written.
        StorageError: The file cannot be written.
    """
    record = open_record(run, place=scratch / "record")
    if record.directory is None or record.is_unpacked:
        raise RecordError(
            "a packed run is packed, and a manifest alone has nothing to pack",
            where=str(run),
            hint="name the run's directory",
        )
    # What is packed of it is made anew, but a record that was edited is not packed.
    record.find_file(CONFIG)
    _require_free(out)
    (scratch / "sources").mkdir()
    sources = _find_sources(record, scratch / "sources", repository)
    given, said = _find_weights(record, weights, scratch)
    config = scratch / "without-paths.yaml"
    write_text(config, dump_config_without_paths(record.manifest))
    files = {CONFIG: config, **dict(_list_entries(record, sources, given))}
    index: dict[str, Any] = {
        "schema": SCHEMA,
        "manifest_digest": record.manifest["manifest_digest"],
        "entries": {
            name: {"bytes": path.stat().st_size, "sha256": digest_file(path)}
            for name, path in files.items()
        },
    }
    with output_writer(out) as stream, zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(_describe(PACK_INDEX), canonical_json(index) + b"\n")
        for name, path in files.items():
            with path.open("rb") as content, archive.open(_describe(name), "w") as entry:
                while block := content.read(_BLOCK_BYTES):
                    entry.write(block)
    return Packed(
        path=out,
        entries=(PACK_INDEX, *files),
        size_bytes=out.stat().st_size,
        code=sources.origin,
        weights=said,
    )


def _require_free(out: Path) -> None:
    """Refuse to write over a file, or into a record."""
    if out.is_file():
        raise RunDirectoryTakenError(
            "a file stands where the packed run would be written",
            where=str(out),
            hint="name another file with --out, or remove it",
        )
    require_outside_records(out, what="packed run")


def _find_sources(record: Record, scratch: Path, repository: Path | None) -> Sources:
    """Return the sources to pack; none where they hold what the run's own record left out."""
    found = find_sources(record, scratch=scratch, repository=repository)
    code = record.manifest.get("code")
    known = code if isinstance(code, dict) else {}
    if found.package is None:
        return found
    private = known.get("patch_withheld")
    if private is None and not (known.get("commit") and known.get("dirty") is False):
        # In no commit: nobody else has seen them yet.
        texts = [path.read_text("utf-8", "replace") for path in sorted(found.package.rglob("*.py"))]
        private = next(filter(None, map(find_private_line, texts)), None)
    if private is not None:
        return Sources(package=None, origin=f"not packed: in what is uncommitted, {private}")
    return found


def _find_weights(
    record: Record, named: Path | None, scratch: Path
) -> tuple[Path | None, str | None]:
    """Return the file of the initial weights to pack, and what to say of them."""
    wanted = record.manifest["recipe"]["weights_in"]
    if wanted is None:
        return None, None
    config, _, _ = load_record_config(record, place=scratch, root=None, weights=named)
    if not isinstance(config.model.weights, FileWeights):
        return None, "come from a hub, at the revision that the config names: not packed"
    path = Path(config.model.weights.path)
    try:
        found = digest_weights_file(path)
    except (OSError, ValueError):
        found = None
    if found != wanted:
        return None, "are not where they were: not packed; name them with --weights FILE"
    return path, "packed"


def _list_entries(
    record: Record, sources: Sources, weights: Path | None
) -> Iterator[tuple[str, Path]]:
    """Yield name and file of every entry, in a fixed order."""
    for name in RECORDS:
        known = name == MANIFEST and record.directory is not None
        path = record.directory / name if known and record.directory else record.find_file(name)
        if path is not None:
            yield name, path
    if weights is not None:
        yield WEIGHTS_IN, weights
    package = sources.package
    if package is not None:
        for path in sorted(package.rglob("*.py")):
            yield f"{SOURCES}/cxr/{path.relative_to(package).as_posix()}", path


def _describe(name: str) -> zipfile.ZipInfo:
    """Return the head of an entry, the same whenever and wherever it is written."""
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3  # Unix, whatever this system is
    info.external_attr = _FILE_MODE
    return info
