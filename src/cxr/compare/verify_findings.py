"""What a check of a record finds, and how it reads a manifest that may have been edited."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cxr.errors import RecordError
from cxr.plain_text import count
from cxr.records.manifest import Manifest

EDITED: Final = "was edited: its content has another manifest_digest"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as the manifest says, or of which that cannot be said here.

    Attributes:
        path: The file that it stands in.
        problem: What is wrong; of what is open, what was not checked, and why.
        is_open: Whether it could not be checked.
    """

    path: str
    problem: str
    is_open: bool = False

    def to_json(self) -> dict[str, str]:
        """Return the finding as plain JSON values."""
        return {"path": self.path, "problem": self.problem}


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked and found.

    Attributes:
        status: The run's status.
        num_files: Files compared with the manifest, and with those of later evaluations.
        num_evaluations: Later evaluations, which were checked as well.
        findings: Empty where everything that was checked is consistent.
        unchecked: What could not be checked from records, or with what is installed here.
    """

    status: str
    num_files: int
    num_evaluations: int
    findings: list[Finding]
    unchecked: list[Finding] = field(default_factory=list)

    def require_consistent(self, record: Path, *, refusal: str, hint: str) -> None:
        """Refuse a record of which something was found.

        Args:
            record: Its directory.
            refusal: What the error says ahead of the first finding.
            hint: What to do.

        Raises:
            RecordError: Something was found.
        """
        if self.findings:
            first, number = self.findings[0], len(self.findings)
            raise RecordError(
                f"{refusal}: {first.path} {first.problem}",
                where=f"{record}, {count(number, 'finding')}",
                hint=hint,
            )


def take(manifest: Manifest, part: str) -> dict[str, Any]:
    """Return a part of a manifest, empty where an edit left something else there."""
    value = manifest.get(part)
    return value if isinstance(value, dict) else {}
