"""A file that a run keeps a copy of, unless it would tell what no record may."""

from __future__ import annotations

from dataclasses import dataclass

from cxr.environment.private_text import find_private_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is kept, or why it is not; neither where there is nothing to keep.

    Attributes:
        content: The file's bytes.
        withheld: Why it is not kept although there is one.
    """

    content: bytes | None = None
    withheld: str | None = None


def keep_unless_private(content: bytes, *, max_bytes: int) -> Kept:
    """Return a file's content to keep, or why it may not be kept.

    Args:
        content: The file's bytes, a text.
        max_bytes: Its largest size in bytes.
    """
    if len(content) > max_bytes:
        return Kept(withheld=f"it is larger than {max_bytes:,} bytes")
    private = find_private_line(content.decode("utf-8", "replace"))
    return Kept(withheld=private) if private else Kept(content=content)
