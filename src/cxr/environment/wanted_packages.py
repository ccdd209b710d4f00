"""What a lock asks for on this interpreter and platform."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from packaging.markers import Marker, default_environment

from cxr.environment.lock_file import Lock, LockedDependency, LockedPackage

Wanted = Mapping[str, tuple[LockedPackage, ...]]
"""By name; of one package several where extras that exclude each other ask for several."""

_UNDECIDED: Final = re.compile(
    r"""extra\s*(?:==|!=)\s*(["'])(?:extra|group|project)-\d+-[^"']*\1"""
    r"""|(["'])(?:extra|group|project)-\d+-[^"']*\2\s*(?:==|!=)\s*extra"""
)
"""How uv writes that an extra, a group or a project is among those asked for.

No lock tells whether it is. Source: uv's sources, ``universal_marker.rs``, read by its locks of
projects with ``conflicts``; a marker has no negation but ``!=``, so that one part that holds can
only make more of it hold.
"""
_HOLDS: Final = 'python_version >= "0"'

_Environment = dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where markers are asked whether they hold.

    Attributes:
        environment: Of this interpreter and platform, without an extra.
        undecided: Whether a marker holds that may hold, as which extras are asked for is not known.
    """

    environment: _Environment
    undecided: bool

    def meets(self, marker: Marker) -> bool:
        """Say whether a marker holds here."""
        if self.undecided and "extra" in str(marker):
            marker = Marker(_UNDECIDED.sub(_HOLDS, str(marker)))
        return marker.evaluate(self.environment)


def find_wanted(lock: Lock) -> Wanted:
    """Return all that a lock may ask for here, without its own projects.

    Extras and dependency groups of the projects are among it, and so is what hangs on extras of
    which nothing is known.
    """
    main, others = _find_starts(lock)
    return _walk(lock, [*main, *others], undecided=True)


def find_needed(lock: Lock) -> Wanted:
    """Return what a lock's own projects need here themselves, no extra or group asked for."""
    return _walk(lock, _find_starts(lock)[0], undecided=False)


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


def _walk(lock: Lock, starts: Iterable[LockedDependency], *, undecided: bool) -> Wanted:
    """Return what some dependencies need, and what that needs in turn, without the projects."""
    here = _Place(
        environment={**default_environment(), "extra": ""},  # type: ignore[dict-item]
        undecided=undecided,
    )
    found: dict[str, list[LockedPackage]] = {}
    seen: set[tuple[str, ...]] = set()
    waiting = list(_choose_needed(starts, here))
    while waiting:
        dependency = waiting.pop()
        for package in _find_versions(lock, dependency, here):
            for extra in ("", *dependency.extras):
                key = (package.name, *_identify(package), extra)
                if key in seen:
                    continue
                seen.add(key)
                needs = package.extras.get(extra, ()) if extra else package.dependencies
                waiting += _choose_needed(needs, here)
                if not extra and package.name not in lock.own:
                    found.setdefault(package.name, []).append(package)
    return {name: tuple(sorted(found[name], key=_identify)) for name in sorted(found)}


def _identify(package: LockedPackage) -> tuple[str, str, str]:
    """Return what tells the packages of one name apart."""
    return package.version or "", package.source, package.commit or ""


def _choose_needed(
    dependencies: Iterable[LockedDependency], here: _Place
) -> Iterator[LockedDependency]:
    """Yield the dependencies whose markers hold here."""
    for dependency in dependencies:
        if dependency.marker is None or here.meets(dependency.marker):
            yield dependency


def _find_versions(
    lock: Lock, dependency: LockedDependency, here: _Place
) -> tuple[LockedPackage, ...]:
    """Return the versions of a package that a dependency may mean here.

    Where it means none of them by their own markers, it may mean any: it is needed.
    """
    versions = tuple(
        one for one in lock.packages[dependency.name] if dependency.version in (None, one.version)
    )
    fitting = tuple(one for one in versions if not one.markers or any(map(here.meets, one.markers)))
    return fitting or versions
