"""What a check of a record finds, and how it reads a manifest that may have been edited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cxr.records.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as the manifest says."""

    path: str
    problem: str


def take(manifest: Manifest, part: str) -> dict[str, Any]:
    """Return a part of a manifest, empty where an edit left something else there."""
    value = manifest.get(part)
    return value if isinstance(value, dict) else {}
