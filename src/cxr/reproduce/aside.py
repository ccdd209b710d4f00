"""Building the recorded packages aside: an environment of its own, which ``uv`` makes.

What was installed is known to the version; the run's copy of the lock file gives the hashes. What
was built before is used again.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import filelock

from cxr.atomic import make_directory, storage_errors, write_text
from cxr.child_process import run_program
from cxr.digests.canonical import digest_bytes
from cxr.environment.facts import Capture
from cxr.environment.lock_file import Lock, load_lock
from cxr.environment.origins import is_from_index
from cxr.errors import InstallationError, RecordError, StorageError
from cxr.interruption import obey
from cxr.places import find_cache_directory
from cxr.progress import Progress
from cxr.records.run_directory import PACKAGE_LOCK
from cxr.reproduce.record import Record

_OWN: Final = "cxr"
"""Not installed: its recorded sources are put on the path."""

_NAME: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_VERSION: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.!+_-]{0,63}")
_COMPLETE: Final = "complete"
_TAIL_LINES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What an environment has to hold.

    Attributes:
        python: Version of the interpreter.
        lines: A requirement a line, with hashes where the lock has them.
        indexes: Registries of the lock besides the one that most packages come from.
    """

    python: str
    lines: tuple[str, ...]
    indexes: tuple[str, ...]

    @property
    def digest(self) -> str:
        """A name for the environment: 16 hex digits over all that goes in."""
        text = "\n".join([self.python, *self.indexes, *self.lines])
        return digest_bytes(text.encode()).partition(":")[2][:16]


def derive_requirements(record: Record, recorded: Capture) -> Requirements:
    """Return what the run's environment held.

    Args:
        record: The run.
        recorded: Its environment.

    Raises:
        RecordError: The record does not tell it, or a package came from no index.
    """
    packages = {n: v for n, v in record.manifest["libraries"].items() if n != _OWN}
    python = recorded.get("python", {}).get("version")
    sound = isinstance(python, str) and _VERSION.fullmatch(python)
    if not sound or not all(
        _NAME.fullmatch(name) and isinstance(version, str) and _VERSION.fullmatch(version)
        for name, version in packages.items()
    ):
        raise RecordError(
            "the record does not say which Python and packages the run had",
            where="libraries in the manifest, python.version in the environment",
            hint="use the run directory, not its manifest alone, or run without --sync",
        )
    origins = recorded.get("origins", {})
    for name in packages:
        origin = str(origins.get(name, "unknown")) if isinstance(origins, dict) else "unknown"
        if not is_from_index(origin, if_unknown=True):
            raise RecordError(
                f"the package {name} came from no index, and cannot be fetched again: {origin}",
                where=f"origins.{name}",
                hint="install the packages by hand, then run without --sync",
            )
    path = record.find_file(PACKAGE_LOCK)
    lock = load_lock(path) if path is not None else None
    lines = [_write_line(name, packages[name], lock) for name in sorted(packages)]
    return Requirements(
        python=str(python), lines=tuple(lines), indexes=_list_indexes(lock, packages)
    )


def _write_line(name: str, version: str, lock: Lock | None) -> str:
    """Return a requirement, with the hashes that the lock has for it."""
    hashes = lock.hashes(name, version) if lock is not None else []
    return " ".join([f"{name}=={version}", *(f"--hash={one}" for one in hashes)])


def _list_indexes(lock: Lock | None, packages: dict[str, str]) -> tuple[str, ...]:
    """Return the registries of these packages but the commonest: that one is the user's own."""
    if lock is None:
        return ()
    found = [lock.registry(name, version) for name, version in packages.items()]
    counted = Counter(url for url in found if url is not None)
    return tuple(sorted(url for url, _ in counted.most_common()[1:]))


def build_aside(requirements: Requirements, progress: Progress) -> Path:
    """Build an environment, or find the one that was built before; return its interpreter.

    Args:
        requirements: What it holds.
        progress: Told what is being done.

    Raises:
        InstallationError: There is no ``uv``, or it could not build the environment.
        StorageError: It cannot be written.
        Interrupted: A signal came.
    """
    cache = find_cache_directory("environments")
    if cache is None:
        raise StorageError(
            "there is no place for an environment: the user has no home directory",
            where="cxr reproduce --sync",
            hint="set XDG_CACHE_HOME or HOME to a directory that can be written",
        )
    directory = cache / requirements.digest
    python = directory / "bin" / "python"
    make_directory(cache)
    what = f"building an environment of {len(requirements.lines)} packages"
    with storage_errors(directory), filelock.FileLock(f"{directory}.lock"):
        # Without its interpreter, a link to one elsewhere, it is none.
        if (directory / _COMPLETE).is_file() and python.exists():
            return python
        # What a stopped build left behind.
        if directory.exists():
            shutil.rmtree(directory)
        progress.advance(what, 0, 1)
        # The interpreter that runs now, where it is the one: uv need not know or fetch another.
        own = requirements.python == platform.python_version()
        interpreter = sys.executable if own else requirements.python
        _ask_uv("venv", "--quiet", "--no-project", "--python", interpreter, str(directory))
        listed = directory / "requirements.txt"
        write_text(listed, "\n".join(requirements.lines) + "\n")
        indexes = [text for url in requirements.indexes for text in ("--index", url)]
        _ask_uv(
            *("pip", "install", "--quiet", "--no-deps", "--compile-bytecode"),
            *("--python", str(python), *indexes, "--requirements", str(listed)),
        )
        write_text(directory / _COMPLETE, requirements.digest + "\n")
        progress.advance(what, 1, 1)
    return python


def _ask_uv(*arguments: str) -> None:
    """Run ``uv``, and say of what it says the last lines if it fails."""
    program = shutil.which("uv")
    if program is None:
        raise InstallationError(
            "uv is not installed, which builds the recorded environment",
            where="cxr reproduce --sync",
            hint="pip install uv, then try again; or install the packages by hand",
        )
    variables = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    said: list[str] = []
    code = run_program([program, *arguments], said.append, variables=variables)
    obey("building the recorded environment")
    if code != 0:
        tail = " ".join(line.strip() for line in said[-_TAIL_LINES:])
        raise InstallationError(
            f"uv could not build the recorded environment: {tail[:400]}",
            where=f"uv {arguments[0]}",
            hint="it needs the network, and wheels for this system and this version of Python",
        )
