"""Checking a data set against a ``.dvc`` file, without DVC.

A ``.dvc`` file names files and directories with the MD5 of their content. That of a directory is
the MD5 of a JSON list of its files; the list itself lies in DVC's cache, if it is there.
Source: DVC 3, ``dvc_data.hashfile.tree.Tree.as_bytes`` and "`.dvc` files" in its documentation.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cxr.config.strict_yaml import load_document
from cxr.data.checks.kinds import DataProblem, describe_problem
from cxr.data.checks.report import DataReport, find_grave, sort_problems
from cxr.data.decoding.image_file import read_image
from cxr.data.prefetch import count_workers, prefetch
from cxr.data.sources.listing import explain_unlisted
from cxr.errors import DataError, RecordError
from cxr.interruption import obey
from cxr.progress import SILENCE, Progress

SUFFIX: Final = ".dvc"

_DIRECTORY: Final = ".dir"
_AT_ONCE: Final = 16
_MAX_CACHE_LEVELS: Final = 40


@dataclass(frozen=True, slots=True)
class _Hashed:
    """One file below an output: its POSIX path there, its size, its MD5; or why it has none."""

    path: str
    num_bytes: int
    md5: str
    problem: str = ""


def verify_dvc_file(target: Path, *, progress: Progress = SILENCE) -> DataReport:
    """Hash what a ``.dvc`` file names, and say what differs.

    Args:
        target: The file.
        progress: Told how far it is.

    Raises:
        RecordError: It cannot be read, is none, or was written by a DVC below 3.
        DataError: A directory cannot be listed, or ``.dvcignore`` leaves files out.
    """
    samples, num_bytes = 0, 0
    problems: list[DataProblem] = []
    for out in _load_outs(target):
        place = target.parent / out["path"]
        hashed = list(_hash_below(place, progress))
        samples += len(hashed)
        num_bytes += sum(one.num_bytes for one in hashed)
        problems += _compare(target, out, hashed)
    return DataReport(
        verdict="differs" if find_grave(problems) else "verified",
        samples=samples,
        bytes=num_bytes,
        lock=target.name,
        counts={},
        problems=tuple(sort_problems(problems)),
        decoder={},
    )


def digest_listing(files: Mapping[str, str]) -> str:
    """Return the MD5 that DVC has for a directory.

    Args:
        files: MD5 of each file, by its POSIX path below the directory.
    """
    rows = [{"md5": md5, "relpath": path} for path, md5 in sorted(files.items())]
    text = json.dumps(rows, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + _DIRECTORY


def _load_outs(target: Path) -> list[dict[str, Any]]:
    """Return what the file names, each with ``path`` and ``md5``."""
    try:
        document = load_document(target)
    except OSError as error:
        raise RecordError(
            f"cannot read the .dvc file: {error.strerror or error}",
            where=str(target),
            hint="check the path",
        ) from error
    outs = document.data.get("outs")
    if document.problems or not isinstance(outs, list) or not outs or not all(map(_is_out, outs)):
        raise RecordError(
            "not a .dvc file with files and their MD5",
            where=str(target),
            hint="name a file that dvc add wrote",
        )
    if any(out.get("hash") != "md5" for out in outs):
        raise RecordError(
            "the .dvc file is of a DVC below 3, which hashed files in another way",
            where=str(target),
            hint="write it anew with dvc commit of DVC 3",
        )
    base = document.data.get("wdir", ".")
    return [{**out, "path": os.path.normpath(f"{base}/{out['path']}")} for out in outs]


def _is_out(out: Any) -> bool:
    return isinstance(out, dict) and all(
        isinstance(out.get(key), str) and out[key] for key in ("path", "md5")
    )


def _hash_below(place: Path, progress: Progress) -> Iterator[_Hashed]:
    """Hash a file, or every file below a directory, on all cores."""
    _require_nothing_ignored(place)
    files = sorted(_list_files(place)) if place.is_dir() else [place] * os.path.lexists(place)

    def hash_one(file: Path) -> _Hashed:
        name = file.relative_to(place).as_posix() if file != place else ""
        try:
            content = read_image(file)
        except DataError as error:
            return _Hashed(name, 0, "", error.problem)
        return _Hashed(name, len(content), hashlib.md5(content, usedforsecurity=False).hexdigest())

    hashed = prefetch(hash_one, files, workers=count_workers(), at_once=_AT_ONCE)
    for done, one in enumerate(hashed, start=1):
        yield one
        progress.advance("hashing files", done, len(files))


def _list_files(directory: Path) -> Iterator[Path]:
    """Yield every file below a directory, hidden ones too, as DVC counts them.

    Links are followed, but for one that leads to a directory that it lies in.
    """

    def refuse(error: OSError) -> None:
        raise explain_unlisted(error, str(error.filename)) from error

    for parent, children, names in os.walk(directory, onerror=refuse, followlinks=True):
        here = os.path.realpath(parent)
        children[:] = [name for name in children if not _leads_up(parent, name, here)]
        yield from (Path(parent, name) for name in names)
        obey("listing files")


def _leads_up(parent: str, name: str, here: str) -> bool:
    """Say whether a directory is a link to one that it lies in."""
    real = os.path.realpath(os.path.join(parent, name))  # noqa: PTH118 - as text, for many
    return here == real or here.startswith(real.rstrip("/") + "/")


def _require_nothing_ignored(place: Path) -> None:
    """Refuse patterns in ``.dvcignore``: they decide which files count, and are DVC's to read."""
    above = [parent / ".dvcignore" for parent in place.absolute().parents[:_MAX_CACHE_LEVELS]]
    below = place.rglob(".dvcignore") if place.is_dir() else []
    for file in (*above, *below):
        if not file.is_file():
            continue
        lines = read_image(file).decode("utf-8", "replace").splitlines()
        if any(line.strip() and not line.startswith("#") for line in lines):
            raise DataError(
                "patterns in .dvcignore decide which files count",
                where=str(file),
                hint="check it with dvc status",
            )


def _compare(target: Path, out: Mapping[str, Any], hashed: list[_Hashed]) -> Iterator[DataProblem]:
    """Name what differs, file by file where DVC's cache has the list of a directory."""
    path, wanted = out["path"], out["md5"]
    for one in hashed:
        if one.problem:
            yield describe_problem("unreadable", [_join(path, one.path)], one.problem)
    found = {one.path: one.md5 for one in hashed}
    if not hashed and not (target.parent / path).is_dir():
        yield describe_problem("missing", [path], "in the .dvc file, not in the data set")
    elif not wanted.endswith(_DIRECTORY):
        if found.get("") not in (wanted, ""):
            yield describe_problem("changed", [path], "its MD5 is not that of the .dvc file")
    elif digest_listing(found) != wanted:
        listed = _find_listing(target, wanted)
        if listed is None:
            detail = (
                "its MD5 is not that of the .dvc file; which files differ is not known, as DVC's"
                " cache does not have the directory's list"
            )
            yield describe_problem("changed", [path], detail)
        else:
            yield from _compare_files(path, found, listed)


def _compare_files(
    path: str, found: Mapping[str, str], listed: Mapping[str, str]
) -> Iterator[DataProblem]:
    for name in sorted(listed.keys() - found.keys()):
        yield describe_problem("missing", [_join(path, name)], "in DVC's list, not in the data set")
    for name in sorted(found.keys() - listed.keys()):
        yield describe_problem("extra", [_join(path, name)], "in the data set, not in DVC's list")
    for name in sorted(found.keys() & listed.keys()):
        if found[name] not in (listed[name], ""):
            yield describe_problem("changed", [_join(path, name)], "its MD5 is not that of DVC")


def _find_listing(target: Path, md5: str) -> dict[str, str] | None:
    """Return the list of a directory from the cache of the repository above, if it is sound."""
    for parent in target.absolute().parents:
        file = parent / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
        if file.is_file():
            try:
                files = {row["relpath"]: row["md5"] for row in json.loads(file.read_bytes())}
            except (OSError, ValueError, KeyError, TypeError):
                return None
            return files if digest_listing(files) == md5 else None
    return None


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if name else path
