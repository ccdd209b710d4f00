"""What a check of a record finds, and how it reads a manifest that may have been edited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from cxr.records.manifest import Manifest

EDITED: Final = "was edited: its content has another manifest_digest"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as the manifest says."""

    path: str
    problem: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked and found.

    Attributes:
        status: The run's status.
        num_files: Files compared with the manifest, and with those of later evaluations.
        num_evaluations: Later evaluations, which were checked as well.
        findings: Empty where everything is consistent.
    """

    status: str
    num_files: int
    num_evaluations: int
    findings: list[Finding]


def take(manifest: Manifest, part: str) -> dict[str, Any]:
    """Return a part of a manifest, empty where an edit left something else there."""
    value = manifest.get(part)
    return value if isinstance(value, dict) else {}
