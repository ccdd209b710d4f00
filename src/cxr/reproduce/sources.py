"""Having the sources that a run was made with: those here, those packed, or a scratch checkout.

A commit's sources are written into a scratch directory and the stored patch is applied there. The
repository is read; the user's tree and index are not touched.
"""

from __future__ import annotations

import io
import os
import re
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cxr.atomic import make_directory, write_bytes
from cxr.digests.files import digest_tree
from cxr.environment.code import PACKAGE, digest_code
from cxr.environment.git import ask_git
from cxr.records.run_directory import PATCH
from cxr.reproduce.pack_format import SOURCES
from cxr.reproduce.record import Record

_GIT_TIMEOUT_S: Final = 60
_USUAL_PLACE: Final = "src/cxr"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the recorded sources are.

    Attributes:
        package: Directory of the package ``cxr``; None where they are not to be had.
        origin: Where they come from, or why they are not to be had.
        are_own: Whether they are the sources that run now.
        came_along: Whether a packed run brought them, or a patch to them, from somewhere else.
    """

    package: Path | None
    origin: str
    are_own: bool = False
    came_along: bool = False


def find_sources(record: Record, *, scratch: Path, repository: Path | None = None) -> Sources:
    """Find the sources of a run, and know by their digest that they are the ones.

    Args:
        record: The run.
        scratch: An empty directory for a checkout.
        repository: A checkout of cxr to take commits from; None: the one that cxr runs from.

    Raises:
        RecordError: A stored patch was changed.
    """
    wanted = record.manifest["recipe"]["code_digest"]
    if digest_code() == wanted:
        return Sources(package=PACKAGE, origin="those that run now", are_own=True)
    found = _find_commit(record, scratch, repository or PACKAGE)
    packed = record.directory / SOURCES / "cxr" if record.is_unpacked and record.directory else None
    if found.package is None and packed is not None and packed.is_dir():
        if _digest(packed) == wanted:
            return Sources(package=packed, origin="those packed with the run", came_along=True)
        return Sources(package=None, origin="those packed with the run are not those that ran")
    return found


def stage_sources(package: Path, place: Path) -> None:
    """Copy a package's sources to a directory of their own, and nothing that lies beside them.

    Python would take bytecode or a compiled module before the source that the digest covers.
    """
    for path in package.rglob("*.py"):
        target = place / "cxr" / path.relative_to(package)
        make_directory(target.parent)
        write_bytes(target, path.read_bytes())


def _find_commit(record: Record, scratch: Path, repository: Path) -> Sources:
    """Find the commit that the run recorded, where it recorded one."""
    code = record.manifest.get("code")
    known = code if isinstance(code, dict) else {}
    commit = known.get("commit")
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        version = known.get("version", "that wrote the run")
        return Sources(package=None, origin=f"no commit is recorded: install cxr {version}")
    return _check_out(record, commit, scratch, repository)


def _check_out(record: Record, commit: str, scratch: Path, repository: Path) -> Sources:
    """Write a commit's sources into ``scratch``, and apply the stored patch there."""
    short = f"commit {commit[:12]}"
    archive = _read_commit(commit, repository)
    if archive is None:
        return Sources(package=None, origin=f"{short} is in no repository here")
    package = _write_checkout(archive, scratch)
    if package is None:
        return Sources(package=None, origin=f"{short} holds no package cxr")
    patch = record.find_file(PATCH)
    if patch is not None and not _apply(patch, scratch):
        return Sources(package=None, origin=f"the patch does not fit {short}")
    if _digest(package) != record.manifest["recipe"]["code_digest"]:
        return Sources(package=None, origin=_explain_other(record, patch, short))
    changed = " and the stored patch" if patch is not None else ""
    return Sources(
        package=package,
        origin=f"{short}{changed}, checked out aside",
        came_along=patch is not None and record.is_unpacked,
    )


def _digest(package: Path) -> str:
    """Return what ``code_digest`` is of a package."""
    return digest_tree(package, package.rglob("*.py"))


def _explain_other(record: Record, patch: Path | None, short: str) -> str:
    """Say why a commit does not give the sources that ran."""
    code = record.manifest["code"]
    if code.get("dirty") is not False and patch is None:
        why = code.get("patch_withheld") or "the run directory is needed, which holds the patch"
        return f"{short} had changes, and there is no patch: {why}"
    return f"{short} gives other sources than those that ran"


def _read_commit(commit: str, repository: Path) -> bytes | None:
    """Return a tar archive of the package at a commit, or None."""
    top = ask_git("rev-parse", "--show-toplevel", directory=repository)
    if top is None:
        return None
    with tempfile.TemporaryDirectory() as place:
        archive = Path(place) / "sources.tar"
        written = ask_git(
            *("archive", "--format=tar", f"--output={archive}", commit, "--", _USUAL_PLACE),
            directory=Path(top),
            timeout_s=_GIT_TIMEOUT_S,
        )
        return archive.read_bytes() if written is not None else None


def _write_checkout(archive: bytes, scratch: Path) -> Path | None:
    """Unpack git's archive; return the package in it, or None."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(scratch, filter="data")
    package = scratch / _USUAL_PLACE
    return package if (package / "__init__.py").is_file() else None


def _apply(patch: Path, scratch: Path) -> bool:
    """Apply a patch below ``scratch``; git refuses one that would write elsewhere."""
    apart = {
        # Whatever repository the scratch directory may lie in is not meant.
        "GIT_CEILING_DIRECTORIES": str(scratch.resolve().parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    applied = ask_git(
        *("apply", "--whitespace=nowarn", str(patch.resolve())),
        directory=scratch,
        variables=apart,
        timeout_s=_GIT_TIMEOUT_S,
    )
    return applied is not None
