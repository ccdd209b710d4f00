"""Names that some file systems take for one: such a set cannot be copied everywhere."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Sequence

from cxr.data.checks.kinds import DataProblem, describe_problem
from cxr.data.inspection.look import Look
from cxr.data.sources.source import FoundImage


def find_names_alike(pairs: Sequence[tuple[FoundImage, Look]]) -> Iterator[DataProblem]:
    """Yield a problem for each group of paths that macOS or Windows would keep as one file."""
    alike: dict[str, list[str]] = defaultdict(list)
    for image, _ in pairs:
        alike[fold_name(image.path)].append(image.path)
    for paths in alike.values():
        if len(paths) > 1:
            detail = "names differ in case or Unicode form alone: macOS and Windows keep one file"
            yield describe_problem("names-alike", sorted(paths), detail)


def fold_name(path: str) -> str:
    """Return what is left of a name where neither case nor Unicode form counts."""
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())
