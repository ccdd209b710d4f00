"""Installed distributions, planted as an installer would leave them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from cxr.environment.packages import Installed


def plant_distribution(
    site: Path,
    name: str,
    version: str,
    *,
    files: Mapping[str, bytes] | None = None,
    tags: Sequence[str] = ("py3-none-any",),
    direct: Any = None,
    lines: Sequence[str] = (),
    record: bool = True,
) -> Installed:
    """Install a distribution below ``site`` and return it as it is found there.

    Args:
        site: A directory of packages.
        name: Its name.
        version: Its version.
        files: Content by path.
        tags: Of its wheel; none: it came without one.
        direct: Content of ``direct_url.json``, if any.
        lines: Further lines of its ``RECORD``.
        record: Whether it has one.
    """
    place = site / f"{name}-{version}.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    if tags:
        (place / "WHEEL").write_text("".join(f"Tag: {tag}\n" for tag in tags))
    if direct is not None:
        text = direct if isinstance(direct, str) else json.dumps(direct)
        (place / "direct_url.json").write_text(text)
    listed = []
    for path, content in (files or {}).items():
        file = Path(os.path.normpath(site / path))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        quoted = f'"{path}"' if "," in path else path
        listed.append(f"{quoted},{encode_digest(content)},{len(content)}")
    if record:
        listed += [*lines, f"{place.name}/RECORD,,"]
        (place / "RECORD").write_text("".join(f"{line}\n" for line in listed))
    return Installed(version=version, distribution=Distribution.at(place))


def encode_digest(content: bytes) -> str:
    """Return a digest as a ``RECORD`` has it."""
    raw = hashlib.sha256(content).digest()
    return f"sha256={base64.urlsafe_b64encode(raw).rstrip(b'=').decode()}"
