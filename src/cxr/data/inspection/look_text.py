"""A look as a row of bytes, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from cxr.data.inspection.look import Look


def dump_look(look: Look) -> bytes:
    """Return a look as the JSON list of its fields, the digest of its bytes left out."""
    fields: list[Any] = [
        look.num_bytes,
        look.pixels,
        look.width,
        look.height,
        look.mode,
        look.likeness,
        look.findings,
    ]
    return json.dumps(fields, separators=(",", ":")).encode("ascii")


def parse_look(content: bytes, *, sha256: str) -> Look:
    """Return the look that `dump_look` wrote; its row was checked for damage.

    Args:
        content: What `dump_look` returned.
        sha256: Digest of the file's bytes, under which it was kept.
    """
    num_bytes, pixels, width, height, mode, likeness, findings = json.loads(content)
    return Look(
        num_bytes=num_bytes,
        sha256=sha256,
        pixels=pixels,
        width=width,
        height=height,
        mode=mode,
        likeness=likeness,
        findings=_read_findings(findings),
    )


def _read_findings(rows: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((kind, detail) for kind, detail in rows)
