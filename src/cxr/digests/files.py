"""Digests of files and of trees of files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cxr.bounded_file import open_regular
from cxr.digests.canonical import PREFIX, digest_json

SETTLED_NS: Final = 2 * 10**9
"""A file that changed less than this ago may change again without another time stamp.

Source: the time stamps of ext4 and xfs advance with the kernel's clock tick, those of FAT by 2 s.
"""


def digest_file(path: Path) -> str:
    """Return ``sha256:<hex>`` of a file's bytes, read in blocks.

    Raises:
        OSError: The file cannot be read, or is no regular one.
    """
    with open_regular(path) as stream:
        return PREFIX + hashlib.file_digest(stream, "sha256").hexdigest()


def digest_tree(root: Path, paths: Iterable[Path]) -> str:
    """Return the digest of some files below ``root``, whatever order they are listed in.

    Args:
        root: The directory that names are relative to.
        paths: Files below it.

    Returns:
        SHA-256 over the canonical JSON list of (POSIX path, size in bytes, SHA-256), sorted.
    """
    return digest_json(
        sorted(
            [path.relative_to(root).as_posix(), path.stat().st_size, digest_file(path)]
            for path in paths
        )
    )
