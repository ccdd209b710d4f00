"""What a lock asks for here, and where the installed packages differ from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from packaging.version import InvalidVersion, Version

from cxr.bounded_file import read_bounded
from cxr.digests.canonical import digest_bytes
from cxr.environment.facts import NOT_READ
from cxr.environment.kept import Kept, keep_unless_private
from cxr.environment.lock_file import (
    MAX_LOCK_BYTES,
    Lock,
    LockedPackage,
    find_lock_file,
    parse_lock,
)
from cxr.environment.locked_origins import compare_origins
from cxr.environment.wanted_packages import find_needed, find_wanted
from cxr.errors import RecordError

_TOOLS: Final = frozenset({"pip", "setuptools", "wheel", "uv"})
"""Installers, which an environment may hold without anybody asking for them."""


def capture_lock(installed: Mapping[str, str], origins: Mapping[str, str]) -> dict[str, Any]:
    """Return the lock's digest, and where the installed packages differ from it.

    Args:
        installed: Versions by normalised name.
        origins: Where each of them came from.

    Returns:
        ``digest``: of the lock file; None where there is none. ``differs``: as `compare_lock` has
        it, and as `compare_origins` for what is there in its version from elsewhere; ``not_read``
        where the lock cannot be read.
    """
    path = find_lock_file()
    if path is None:
        return {"digest": None, "differs": {}}
    try:
        content = read_bounded(path, max_bytes=MAX_LOCK_BYTES)
    except OSError:
        return {"digest": NOT_READ, "differs": NOT_READ}
    try:
        lock = parse_lock(content, where=path.name)
        found = {**compare_origins(lock, origins), **compare_lock(lock, installed)}
        differs: Any = dict(sorted(found.items()))
    except RecordError:
        differs = NOT_READ
    return {"digest": digest_bytes(content), "differs": differs}


def read_lock_to_keep() -> Kept:
    """Return the lock that governs this environment, as a run keeps it."""
    path = find_lock_file()
    if path is None:
        return Kept()
    try:
        content = path.read_bytes()
    except OSError as error:
        return Kept(withheld=f"it cannot be read: {error.strerror or type(error).__name__}")
    return keep_unless_private(content, max_bytes=MAX_LOCK_BYTES)


def derive_locked(lock: Lock) -> dict[str, str]:
    """Return the versions that a lock asks for on this interpreter and platform, by name.

    Extras and dependency groups are among them; ``1 or 2`` where extras that exclude each other ask
    for several. What has no version of its own, as a project in a directory may have none, is not.
    """
    named = {name: _name_versions(versions) for name, versions in find_wanted(lock).items()}
    return {name: text for name, text in named.items() if text is not None}


def compare_lock(lock: Lock, installed: Mapping[str, str]) -> dict[str, dict[str, str | None]]:
    """Return where installed packages differ from what a lock asks for.

    Args:
        lock: The lock.
        installed: Versions by normalised name.

    Returns:
        By name ``locked`` and ``installed``, each a version or None: another version than locked; a
        package that the projects themselves need and that is missing (extras and groups need not be
        installed); a package that the lock does not ask for.
    """
    needed = find_needed(lock)
    wanted = find_wanted(lock)
    own = lock.own
    differs: dict[str, dict[str, str | None]] = {}
    for name in sorted({*needed, *installed}):
        versions = wanted.get(name) or own.get(name)
        found = installed.get(name)
        if versions is None:
            if name not in _TOOLS:
                differs[name] = {"locked": None, "installed": found}
        elif not any(_is_met(package, found) for package in versions):
            differs[name] = {"locked": _name_versions(versions), "installed": found}
    return differs


def _name_versions(packages: Sequence[LockedPackage]) -> str | None:
    """Return the versions of one package in words; None where it has none."""
    return " or ".join(dict.fromkeys(one.version for one in packages if one.version)) or None


def _is_met(package: LockedPackage, found: str | None) -> bool:
    """Say whether an installed version is the one of a package, whichever way each is written."""
    if found is None:
        # A virtual project is never installed, only what it needs.
        return package.source == "virtual"
    if package.version is None or package.version == found:
        return True
    try:
        return Version(package.version) == Version(found)
    except InvalidVersion:
        return False
