"""Images as they were found and seen, without any file."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from cxr.data.inspection.look import Look
from cxr.data.sources.source import FoundImage


def pair(path, *, group=None, label=None, split=None, content="", pixels="", **seen):
    """Return an image and its look; split and label are the path's folders where not given.

    Args:
        path: ``<split>/<label>/<file>``.
        group: The patient; each file is its own where there is none.
        label: Instead of the path's.
        split: Instead of the path's.
        content: Stands for the bytes; the path where empty, so that every file differs.
        pixels: Stands for the pixels; the bytes where empty.
        seen: More fields of the look.
    """
    parts = PurePosixPath(path).parts
    image = FoundImage(
        file=Path("root", path),
        path=path,
        label=parts[1] if label is None else label,
        group=parts[-1] if group is None else group,
        split=parts[0] if split is None else split,
    )
    content = content or path
    look = Look(num_bytes=1, sha256=content, **{"pixels": pixels or content, **seen})
    return image, look


def summarise(problems):
    """Return kind and paths of each problem, sorted."""
    return sorted((problem.kind, problem.paths) for problem in problems)
