"""Where each installed distribution came from.

A version alone does not tell a wheel from an index from a checkout that somebody edits, or a wheel
that was built here from one that everybody gets. No address is recorded: it may hold a password or
a path of this machine.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib.metadata import Distribution
from typing import Any, Final

from cxr.environment.packages import UNKNOWN, Installed

_TAG: Final = re.compile(r"^Tag:\s*([\w.]+-[\w.]+-[\w.]+)\s*$", re.MULTILINE | re.ASCII)
_FROM_AN_INDEX: Final = ("wheel", "sdist")
_VERSION_CONTROL: Final = ("git", "hg", "bzr", "svn")
# Of git and Mercurial hexadecimal digits, of Subversion a number; anything else may be a name.
_COMMIT: Final = re.compile(r"[0-9a-f]{1,64}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def is_from_index(origin: str, *, if_unknown: bool) -> bool:
    """Say whether a package was fetched from an index.

    Args:
        origin: As `read_origin` returns it.
        if_unknown: The answer where nobody knows.
    """
    kind = origin.partition(" ")[0]
    return if_unknown if kind == UNKNOWN else kind in _FROM_AN_INDEX


def capture_origins(found: Mapping[str, Installed]) -> dict[str, str]:
    """Return, for every distribution, where it came from.

    Returns:
        By name: ``editable``, ``directory``, ``git <commit>`` (or another version control),
        ``archive sha256:<hex>`` (or ``archive``, where its digest was not recorded), ``wheel
        <tags>``, ``sdist``, or ``unknown``.
    """
    return {name: read_origin(installed.distribution) for name, installed in found.items()}


def read_origin(distribution: Distribution) -> str:
    """Return where one distribution came from.

    Source: PEP 610 for ``direct_url.json``, PEP 427 for ``WHEEL``.
    """
    try:
        direct = distribution.read_text("direct_url.json")
        wheel = distribution.read_text("WHEEL")
        egg = distribution.read_text("PKG-INFO")
    except (OSError, ValueError):
        return UNKNOWN
    if direct is not None:
        return _describe_direct(direct)
    if wheel is not None:
        return " ".join(["wheel", *sorted(set(_TAG.findall(wheel)))])
    return "sdist" if egg is not None else UNKNOWN


def _describe_direct(text: str) -> str:
    """Return the origin that a ``direct_url.json`` tells, without its address."""
    try:
        told: Any = json.loads(text)
        if isinstance(told.get("dir_info"), dict):
            return "editable" if told["dir_info"].get("editable") is True else "directory"
        if isinstance(told.get("vcs_info"), dict):
            kind, commit = told["vcs_info"]["vcs"], told["vcs_info"]["commit_id"]
            if kind in _VERSION_CONTROL and _COMMIT.fullmatch(commit):
                return f"{kind} {commit}"
        if isinstance(told.get("archive_info"), dict):
            return _describe_archive(told["archive_info"])
    except (ValueError, RecursionError, AttributeError, KeyError, TypeError):
        # Whoever wrote it did not follow the format.
        return UNKNOWN
    return UNKNOWN


def _describe_archive(info: dict[str, Any]) -> str:
    """Return the digest of an archive, which older installers wrote as ``hash``."""
    digest = info.get("hashes", {}).get("sha256") or info.get("hash", "").partition("sha256=")[2]
    return f"archive sha256:{digest}" if _SHA256.fullmatch(digest) else "archive"
