"""Whether installed packages came from where their lock takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from cxr.environment.lock_file import Lock, LockedPackage
from cxr.environment.wanted_packages import find_wanted

_KINDS: Final = {
    "registry": ("wheel", "sdist"),
    "url": ("archive",),
    "path": ("archive",),
    "git": ("git",),
    # uv sync --no-editable installs the same directory as a copy.
    "editable": ("editable", "directory"),
    "directory": ("directory",),
}
"""Kinds of origin, as a capture has them, that a kind of locked source ends in.

Source: uv's documentation on lock files, PEP 610 for what it leaves in ``direct_url.json``. A
``virtual`` project is never installed.
"""


def compare_origins(lock: Lock, origins: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return which installed packages came from elsewhere than their lock takes them.

    Args:
        lock: The lock.
        origins: Where each installed package came from, as a capture has it.

    Returns:
        By name ``locked`` and ``installed``, each in words. An origin that is not known is not the
        one of the lock. Packages that the lock does not ask for are left out.
    """
    wanted = {**lock.own, **find_wanted(lock)}
    return {
        name: {"locked": describe_source(wanted[name]), "installed": origins[name]}
        for name in sorted(wanted.keys() & origins.keys())
        if not any(_is_from(package, origins[name]) for package in wanted[name])
    }


def derive_sources(lock: Lock) -> dict[str, str]:
    """Return in words from where a lock takes what it asks for here, by name."""
    return {name: describe_source(packages) for name, packages in find_wanted(lock).items()}


def describe_source(packages: Sequence[LockedPackage]) -> str:
    """Return in words from where a lock takes a package, without any address."""
    words = {"registry": "index", "url": "archive", "path": "archive"}
    named = (
        " ".join(filter(None, (words.get(one.source, one.source), one.commit))) for one in packages
    )
    return " or ".join(dict.fromkeys(named))


def _is_from(package: LockedPackage, origin: str) -> bool:
    """Say whether an origin is the one that a package is locked with."""
    kind, _, detail = origin.partition(" ")
    if kind not in _KINDS.get(package.source, ()):
        return False
    if kind == "git":
        return detail == package.commit
    # Whoever installed an archive need not have written its digest down.
    return kind != "archive" or not detail or not package.hashes or detail in package.hashes
