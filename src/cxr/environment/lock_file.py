"""Reading ``uv.lock``: every package that a project may need anywhere, with its files' hashes."""

from __future__ import annotations

import functools
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from packaging.markers import InvalidMarker, Marker

from cxr.bounded_file import read_bounded
from cxr.digests.canonical import digest_bytes
from cxr.environment.code import PACKAGE
from cxr.environment.packages import normalise_name
from cxr.errors import RecordError

_NAME: Final = "uv.lock"
MAX_LOCK_BYTES: Final = 10_000_000
"""A lock that is larger is neither read nor kept with a run."""

_VERSION: Final = 1
"""Of the format. Source: uv's documentation: a newer one may not be read as this one."""

_DAMAGED: Final = "restore it, or write it again with uv lock"
_LOCAL_SOURCES: Final = ("editable", "virtual", "directory")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedDependency:
    """That one package needs another.

    Attributes:
        name: The other's normalised name.
        version: Which of several locked versions; None where there is one.
        extras: Which of its extras.
        marker: Where it is needed; None: everywhere.
    """

    name: str
    version: str | None
    extras: tuple[str, ...]
    marker: Marker | None


Dependencies = tuple[LockedDependency, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPackage:
    """One version of a package.

    Attributes:
        name: Normalised.
        version: None for a project that computes its own.
        source: Of what kind: ``registry``, ``editable``, ``virtual``, ``directory``, ``git``,
            ``url`` or ``path``.
        registry: Address of its index without user and password; None where it is from none.
        commit: Of its source ``git``; None of another.
        dependencies: What it needs.
        extras: What its extras need.
        groups: What its dependency groups need.
        markers: Where this version is the one, if there are several; one of them must hold.
        hashes: ``sha256:<hex>`` of its wheels and of its source archive.
    """

    name: str
    version: str | None
    source: str
    registry: str | None
    commit: str | None
    dependencies: Dependencies
    extras: Mapping[str, Dependencies]
    groups: Mapping[str, Dependencies]
    markers: tuple[Marker, ...]
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A whole lock file.

    Attributes:
        digest: Of the file's bytes.
        packages: Every version of every package, by name.
        roots: Names of the projects that it is the lock of; without one in its own directory, all
            members of the workspace.
        members: Names of the workspace's other members.
    """

    digest: str
    packages: Mapping[str, tuple[LockedPackage, ...]]
    roots: tuple[str, ...]
    members: tuple[str, ...]

    @property
    def own(self) -> dict[str, tuple[LockedPackage, ...]]:
        """The projects themselves and the workspace's other members, by name."""
        return {name: self.packages[name] for name in (*self.roots, *self.members)}

    def find(self, name: str, version: str) -> LockedPackage | None:
        """Return a package in one version, where it is locked."""
        versions = self.packages.get(normalise_name(name), ())
        return next((package for package in versions if package.version == version), None)

    def hashes(self, name: str, version: str) -> list[str]:
        """Return ``sha256:<hex>`` of the wheels and the source archive of a locked package."""
        package = self.find(name, version)
        return list(package.hashes) if package is not None else []

    def registry(self, name: str, version: str) -> str | None:
        """Return the address of a locked package's index, where it is from one."""
        package = self.find(name, version)
        return package.registry if package is not None else None


def find_lock_file() -> Path | None:
    """Return the lock that governs this environment, where there is one.

    That is ``uv.lock`` beside the virtual environment, or else beside the checkout that cxr runs
    from.
    """
    places = []
    if sys.prefix != sys.base_prefix:
        places.append(Path(sys.prefix).parent)
    checkout = PACKAGE.parents[1]
    if (checkout / "pyproject.toml").is_file():
        places.append(checkout)
    return next((place / _NAME for place in places if (place / _NAME).is_file()), None)


def load_lock(path: Path) -> Lock:
    """Read a lock file.

    Raises:
        RecordError: It is missing, no regular file, larger than `MAX_LOCK_BYTES`, damaged, not
            uv's, or of a newer format.
    """
    try:
        content = read_bounded(path, max_bytes=MAX_LOCK_BYTES)
    except OSError as error:
        raise RecordError(
            f"cannot read the lock file: {error.strerror or error}",
            where=str(path),
            hint="name the project's uv.lock; uv lock writes one",
        ) from error
    return parse_lock(content, where=str(path))


# A process that trains twenty runs, as the self-test does, captures one lock twenty times.
@functools.lru_cache(maxsize=1)
def parse_lock(content: bytes, *, where: str) -> Lock:
    """Return the lock in a file's bytes.

    Raises:
        RecordError: It is damaged, not uv's, or of a newer format.
    """
    try:
        document = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RecordError(
            f"the lock file is not TOML: {' '.join(str(error).split())}",
            where=where,
            hint="name a uv.lock; where it was damaged, restore it",
        ) from error
    _require_format(document, where)
    try:
        lock = _build(document, digest_bytes(content))
    except (KeyError, TypeError, AttributeError, ValueError, InvalidMarker) as error:
        raise RecordError(
            f"the lock file is damaged: {type(error).__name__}: {' '.join(str(error).split())}",
            where=where,
            hint=_DAMAGED,
        ) from error
    _require_whole(lock, where)
    return lock


def _require_whole(lock: Lock, where: str) -> None:
    """Refuse a lock that names what it does not hold: uv writes none."""
    packages = [one for versions in lock.packages.values() for one in versions]
    for package in packages:
        named = (package.dependencies, *package.extras.values(), *package.groups.values())
        for dependency in (one for dependencies in named for one in dependencies):
            versions = {one.version for one in lock.packages.get(dependency.name, ())}
            if not versions or dependency.version not in {None, *versions}:
                wanted = " ".join(filter(None, (dependency.name, dependency.version)))
                raise RecordError(
                    f"the lock file is damaged: nothing locked for {wanted}",
                    where=where,
                    hint=_DAMAGED,
                )


def _require_format(document: dict[str, Any], where: str) -> None:
    """Refuse what is no lock of uv's, or of a format that did not exist yet."""
    version = document.get("version")
    if type(version) is not int or not isinstance(document.get("package"), list):
        raise RecordError(
            "this is not a lock file of uv",
            where=where,
            hint="name a uv.lock; other tools' locks are not read",
        )
    if version != _VERSION:
        raise RecordError(
            f"the lock file has format {version}; this version of cxr reads {_VERSION}",
            where=where,
            hint="use a newer cxr, or the uv that wrote the lock before",
        )


def _build(document: dict[str, Any], digest: str) -> Lock:
    """Return the lock; what does not follow the format raises one of several errors."""
    packages: dict[str, tuple[LockedPackage, ...]] = {}
    members = [normalise_name(name) for name in document.get("manifest", {}).get("members", [])]
    roots: list[str] = []
    for table in document["package"]:
        package = _parse_package(table)
        packages[package.name] = (*packages.get(package.name, ()), package)
        if package.source in _LOCAL_SOURCES and table["source"][package.source] == ".":
            roots.append(package.name)
    roots = roots or members
    if not roots or not packages.keys() >= {*roots, *members}:
        raise ValueError("it is the lock of no project")
    others = tuple(name for name in members if name not in roots)
    return Lock(digest=digest, packages=packages, roots=tuple(roots), members=others)


def _parse_package(table: dict[str, Any]) -> LockedPackage:
    """Return one ``[[package]]``."""
    source = next(iter(table["source"]))
    version = table.get("version")
    if version is not None and not isinstance(version, str):
        raise TypeError("a version that is not text")
    files = [*table.get("wheels", []), *filter(None, [table.get("sdist")])]
    return LockedPackage(
        name=normalise_name(table["name"]),
        version=version,
        source=source,
        registry=_hide_user(table["source"]["registry"]) if source == "registry" else None,
        commit=urlsplit(table["source"]["git"]).fragment if source == "git" else None,
        dependencies=_parse_dependencies(table.get("dependencies", [])),
        extras=_parse_named(table.get("optional-dependencies", {})),
        groups=_parse_named(table.get("dev-dependencies", {})),
        markers=tuple(Marker(text) for text in table.get("resolution-markers", [])),
        # A file of a local path needs no hash.
        hashes=tuple(file["hash"] for file in files if "hash" in file),
    )


def _parse_named(tables: dict[str, Any]) -> dict[str, Dependencies]:
    """Return dependencies by the name of their extra or group."""
    return {name: _parse_dependencies(listed) for name, listed in tables.items()}


def _parse_dependencies(tables: list[dict[str, Any]]) -> Dependencies:
    """Return a list of dependencies."""
    return tuple(
        LockedDependency(
            name=normalise_name(table["name"]),
            version=table.get("version"),
            extras=tuple(table.get("extra", ())),
            marker=Marker(table["marker"]) if "marker" in table else None,
        )
        for table in tables
    )


def _hide_user(address: str) -> str:
    """Return an address without user and password."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
