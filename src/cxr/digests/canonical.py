"""Canonical JSON: one value, one sequence of bytes, in any language.

Keys are sorted, nothing is indented, text is ASCII with escapes, floats are the shortest text that
reads back to the same float64 (``repr``), and NaN and infinities are refused.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

PREFIX: Final = "sha256:"


def canonical_json(value: Any) -> bytes:
    """Return ``value`` as canonical JSON.

    Raises:
        ValueError: ``value`` holds NaN or an infinity.
        TypeError: ``value`` holds something that JSON has no word for.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )
    return text.encode("ascii")


def digest_bytes(content: bytes) -> str:
    """Return ``sha256:<hex>`` of ``content``."""
    return PREFIX + hashlib.sha256(content).hexdigest()


def digest_json(value: Any) -> str:
    """Return ``sha256:<hex>`` of ``value`` as canonical JSON."""
    return digest_bytes(canonical_json(value))
