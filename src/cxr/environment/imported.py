"""Where Python would import each computing package from, against where it was installed to.

A directory on ``PYTHONPATH``, or beside the program, needs no metadata to stand before an installed
package: then the version that is recorded is not the one that computes. Nothing is imported here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from cxr.digests.files import digest_tree
from cxr.environment.facts import AS_INSTALLED, COMPUTING_PACKAGES
from cxr.environment.packages import Installed

_ELSEWHERE: Final = "elsewhere"
_NOWHERE: Final = "nowhere"


def capture_imported(found: Mapping[str, Installed]) -> dict[str, str]:
    """Return, for every computing package that is here, from where it would be imported.

    Args:
        found: What `find_distributions` returned.

    Returns:
        By name: ``as installed``; ``elsewhere sha256:<hex>``, the digest of the sources there
        (``elsewhere`` alone where they cannot be read); ``nowhere`` for one that is installed and
        cannot be found. No place is told.
    """
    told: dict[str, str] = {}
    for name in COMPUTING_PACKAGES:
        spec, installed = _find_spec(name), found.get(name)
        if spec is None and installed is None:
            continue
        told[name] = _describe(name, spec, installed)
    return told


def _find_spec(name: str) -> ModuleSpec | None:
    """Return what Python would import, without importing it."""
    try:
        return PathFinder.find_spec(name)
    except (ImportError, OSError, ValueError):
        # An archive or a directory on the path that cannot be read holds nothing to import.
        return None


def _describe(name: str, spec: ModuleSpec | None, installed: Installed | None) -> str:
    """Return where a package that is installed, or that can be imported, comes from."""
    editable = _find_editable(installed) if installed is not None else None
    if spec is None:
        # An editable project may be found by a finder of its own, which its installer planted.
        return _NOWHERE if editable is None else AS_INSTALLED
    if installed is not None:
        base = str(installed.distribution.locate_file(""))
        wanted = [Path(base, name, "__init__.py"), Path(base, f"{name}.py")]
        origin = os.path.realpath(spec.origin or "")
        if any(os.path.realpath(path) == origin for path in wanted):
            return AS_INSTALLED
        if editable is not None and Path(origin).is_relative_to(os.path.realpath(editable)):
            return AS_INSTALLED
    digest = _digest(spec)
    return _ELSEWHERE if digest is None else f"{_ELSEWHERE} {digest}"


def _find_editable(installed: Installed) -> Path | None:
    """Return the directory that an editable project lies in, None where it is no such project.

    Source: PEP 610.
    """
    try:
        told: Any = json.loads(installed.distribution.read_text("direct_url.json") or "{}")
        address, editable = told["url"], told["dir_info"].get("editable")
        return Path(unquote(urlsplit(address).path)) if editable is True else None
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return None


def _digest(spec: ModuleSpec) -> str | None:
    """Return the digest of the sources that would be imported, where they can be read."""
    places = [Path(place) for place in spec.submodule_search_locations or ()]
    try:
        if places:
            return digest_tree(places[0], places[0].rglob("*.py"))
        origin = Path(spec.origin or "")
        return digest_tree(origin.parent, [origin])
    except (OSError, ValueError):
        return None
