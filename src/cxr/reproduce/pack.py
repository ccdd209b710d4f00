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

from cxr.atomic import output_writer
from cxr.config.schema import FileWeights
from cxr.digests.canonical import canonical_json
from cxr.digests.files import digest_file
from cxr.digests.weights_file import digest_weights_file
from cxr.records.manifest import load_sealed_run
from cxr.records.run_directory import (
    CONFIG,
    DATA_LOCK,
    ENVIRONMENT,
    LEDGER,
    MANIFEST,
    METRICS,
    PACKAGE_LOCK,
    PATCH,
    PREDICTIONS,
    TENSORS,
)
from cxr.reproduce.pack_format import INDEX, SCHEMA, SOURCES, WEIGHTS_IN
from cxr.reproduce.record import Record, load_record_config
from cxr.reproduce.sources import Sources, find_sources

_RECORDS: Final = (
    MANIFEST,
    CONFIG,
    ENVIRONMENT,
    DATA_LOCK,
    LEDGER,
    TENSORS,
    METRICS,
    PREDICTIONS,
    PATCH,
    PACKAGE_LOCK,
)
"""What a reproduction reads of a run; neither checkpoints nor the weights that came out."""

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
        out: The file to write.
        weights: The file of the weights that it started from; None: where it was.
        repository: A checkout of cxr to take commits from; None: the one that cxr runs from.
        scratch: An empty directory.

    Raises:
        RecordError: The run is not complete, or was edited.
        StorageError: The file cannot be written.
    """
    record = Record(manifest=load_sealed_run(run, completed=True), directory=run)
    for name in _RECORDS:
        record.find_file(name)
    sources = find_sources(record, scratch=scratch, repository=repository)
    given, said = _find_weights(record, weights, scratch)
    files = dict(_list_entries(run, sources, given))
    index: dict[str, Any] = {
        "schema": SCHEMA,
        "manifest_digest": record.manifest["manifest_digest"],
        "entries": {
            name: {"bytes": path.stat().st_size, "sha256": digest_file(path)}
            for name, path in files.items()
        },
    }
    with output_writer(out) as stream, zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(_describe(INDEX), canonical_json(index) + b"\n")
        for name, path in files.items():
            with path.open("rb") as content, archive.open(_describe(name), "w") as entry:
                while block := content.read(_BLOCK_BYTES):
                    entry.write(block)
    return Packed(
        path=out,
        entries=(INDEX, *files),
        size_bytes=out.stat().st_size,
        code=sources.origin,
        weights=said,
    )


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


def _list_entries(run: Path, sources: Sources, weights: Path | None) -> Iterator[tuple[str, Path]]:
    """Yield name and file of every entry, in a fixed order."""
    for name in _RECORDS:
        if (run / name).is_file():
            yield name, run / name
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
