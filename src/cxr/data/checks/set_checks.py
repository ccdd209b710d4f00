"""What is wrong with a set as a whole: duplicates, and groups in two splits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from cxr.data.checks.kinds import DataProblem, describe_problem
from cxr.data.inspection.look import Look
from cxr.data.sources.source import FoundImage


def find_duplicates(pairs: Sequence[tuple[FoundImage, Look]]) -> Iterator[DataProblem]:
    """Group byte-identical files by how much their being so matters."""
    by_digest: dict[str, list[FoundImage]] = defaultdict(list)
    for image, look in pairs:
        if look.num_bytes:
            by_digest[look.sha256].append(image)
    for same in by_digest.values():
        if len(same) == 1:
            continue
        paths = sorted(image.path for image in same)
        labels, splits = {image.label for image in same}, {image.split for image in same}
        if len(labels) > 1:
            yield describe_problem(
                "duplicate-labels-differ", paths, "the same bytes, different labels"
            )
        if len(splits) > 1:
            yield describe_problem("duplicate-across-splits", paths, "the same bytes in two splits")
        if len(labels) == len(splits) == 1:
            yield describe_problem("duplicate-in-split", paths, "the same bytes")


def find_split_groups(pairs: Sequence[tuple[FoundImage, Look]]) -> Iterator[DataProblem]:
    """Name groups that are in more than one split."""
    by_group: dict[str, list[FoundImage]] = defaultdict(list)
    for image, _ in pairs:
        by_group[image.group].append(image)
    for group, members in sorted(by_group.items()):
        splits = sorted({image.split for image in members})
        if len(splits) > 1:
            paths = sorted(image.path for image in members)
            detail = f"group {group} is in {' and '.join(splits)}"
            yield describe_problem("group-in-two-splits", paths, detail)
