"""Reading ``uv.lock``: which version of each package it locks."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxr.errors import RecordError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The packages of a lock file.

    Attributes:
        packages: As the file has them.
    """

    packages: tuple[dict[str, Any], ...]


def load_lock(path: Path) -> Lock:
    """Read a ``uv.lock``.

    Raises:
        RecordError: It is missing, no TOML, or no lock of uv.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecordError(
            f"cannot read the lock: {error.strerror or error}", where=str(path), hint="check it"
        ) from error
    except ValueError as error:
        raise RecordError(
            f"the lock is not TOML: {error}", where=str(path), hint="restore it"
        ) from error
    packages = content.get("package")
    if not isinstance(packages, list):
        raise RecordError("not a lock of uv", where=str(path), hint="name a uv.lock")
    return Lock(packages=tuple(packages))
