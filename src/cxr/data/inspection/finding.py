"""What a check says of an image: a kind, and a detail in one line."""

from __future__ import annotations

from typing import TypeAlias

Finding: TypeAlias = tuple[str, str]
"""A key of `cxr.data.checks.kinds.KINDS`, and what was found."""
