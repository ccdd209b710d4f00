"""What a lock asks for here, and where the installed packages differ from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from packaging.markers import default_environment
from packaging.version import InvalidVersion, Version

from cxr.digests.canonical import digest_bytes
from cxr.environment.facts import NOT_READ
from cxr.environment.kept import Kept, keep_unless_private
from cxr.environment.lock_file import (
    Lock,
    LockedDependency,
    LockedPackage,
    find_lock_file,
    parse_lock,
)
from cxr.errors import RecordError

MAX_LOCK_BYTES: Final = 10_000_000
"""A lock that is larger is not kept with a run."""

_TOOLS: Final = frozenset({"pip", "setuptools", "wheel", "uv"})
"""Installers, which an environment may hold without anybody asking for them."""

_Environment = dict[str, str]
_Found = dict[str, LockedPackage]


def capture_lock(installed: Mapping[str, str]) -> dict[str, Any]:
    """Return the lock's digest, and where the installed packages differ from it.

    Args:
        installed: Versions by normalised name.

    Returns:
        ``digest``: of the lock file; None where there is none. ``differs``: as `compare_lock` has
        it; ``not_read`` where the lock cannot be read.
    """
    path = find_lock_file()
    if path is None:
        return {"digest": None, "differs": {}}
    try:
        content = path.read_bytes()
    except OSError:
        return {"digest": NOT_READ, "differs": NOT_READ}
    try:
        differs: Any = compare_lock(parse_lock(content, where=path.name), installed)
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


def find_wanted(lock: Lock) -> _Found:
    """Return what a lock asks for on this interpreter and platform, without its own projects.

    Extras and dependency groups of the projects are among it.
    """
    main, others = _find_starts(lock)
    return _walk(lock, [*main, *others])


def derive_locked(lock: Lock) -> dict[str, str]:
    """Return the versions that a lock asks for on this interpreter and platform, by name.

    Extras and dependency groups are among them. What has no version of its own, as a project in a
    directory may have none, is not.
    """
    return {
        name: package.version
        for name, package in sorted(find_wanted(lock).items())
        if package.version is not None
    }


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
    main, others = _find_starts(lock)
    needed = _walk(lock, main)
    wanted = {**_walk(lock, others), **needed}
    own = {one.name: one for name in (*lock.roots, *lock.members) for one in lock.packages[name]}
    differs: dict[str, dict[str, str | None]] = {}
    for name in sorted({*needed, *installed}):
        package = wanted.get(name) or own.get(name)
        found = installed.get(name)
        if package is None:
            if name not in _TOOLS:
                differs[name] = {"locked": None, "installed": found}
        elif package.version is not None and not _are_equal(package.version, found):
            differs[name] = {"locked": package.version, "installed": found}
        elif found is None:
            differs[name] = {"locked": package.version, "installed": None}
    return differs


def _are_equal(locked: str, found: str | None) -> bool:
    """Compare two versions, whichever way each is written."""
    if found is None or locked == found:
        return locked == found
    try:
        return Version(locked) == Version(found)
    except InvalidVersion:
        return False


def _find_starts(lock: Lock) -> tuple[list[LockedDependency], list[LockedDependency]]:
    """Return what the lock's own projects need, and what need not be installed for them.

    The latter are their extras and groups, and all that a workspace's other members need.
    """
    own = [one for name in lock.roots for one in lock.packages[name]]
    members = [one for name in lock.members for one in lock.packages[name]]
    main = [dependency for package in own for dependency in package.dependencies]
    others = [dependency for package in members for dependency in package.dependencies]
    for package in (*own, *members):
        for named in (package.extras, package.groups):
            others += [one for dependencies in named.values() for one in dependencies]
    return main, others


def _walk(lock: Lock, starts: Iterable[LockedDependency]) -> _Found:
    """Return what some dependencies need, and what that needs in turn, without the projects."""
    environment: _Environment = {**default_environment(), "extra": ""}  # type: ignore[dict-item]
    found: _Found = {}
    seen: set[tuple[str, str | None, str]] = set()
    waiting = list(_choose_needed(starts, environment))
    while waiting:
        dependency = waiting.pop()
        package = _find_package(lock, dependency, environment)
        if package is None:
            continue
        if package.name not in (*lock.roots, *lock.members):
            found.setdefault(package.name, package)
        for extra in ("", *dependency.extras):
            if (package.name, package.version, extra) not in seen:
                seen.add((package.name, package.version, extra))
                needs = package.extras.get(extra, ()) if extra else package.dependencies
                waiting += _choose_needed(needs, environment)
    return found


def _choose_needed(
    dependencies: Iterable[LockedDependency], environment: _Environment
) -> Iterator[LockedDependency]:
    """Yield the dependencies whose markers hold here."""
    for dependency in dependencies:
        if dependency.marker is None or dependency.marker.evaluate(environment):
            yield dependency


def _find_package(
    lock: Lock, dependency: LockedDependency, environment: _Environment
) -> LockedPackage | None:
    """Return the version of a package that a dependency means here."""
    versions = lock.packages.get(dependency.name, ())
    if dependency.version is not None:
        versions = tuple(one for one in versions if one.version == dependency.version)
    fitting = [
        one
        for one in versions
        if not one.markers or any(marker.evaluate(environment) for marker in one.markers)
    ]
    return next(iter(fitting), None)
