"""Pictures that are in a set more than once: in the same bytes, or with the same pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from cxr.data.checks.kinds import DataProblem, describe_problem
from cxr.data.inspection.look import Look
from cxr.data.sources.source import FoundImage

Pair = tuple[FoundImage, Look]


def find_duplicates(pairs: Sequence[Pair]) -> Iterator[DataProblem]:
    """Yield the groups of files with the same bytes, and those with the same pixels.

    In time linear in the number of files. A group whose files all have the same bytes is not
    repeated for having the same pixels.

    Args:
        pairs: Every image that was found, and what was seen of it. One that could not be read is
            equal to none; one that could not be decoded has no pixels to compare.
    """
    by_bytes: dict[str, list[FoundImage]] = defaultdict(list)
    by_pixels: dict[str, list[Pair]] = defaultdict(list)
    for image, look in pairs:
        if look.num_bytes and look.sha256:
            by_bytes[look.sha256].append(image)
        if look.pixels:
            by_pixels[look.pixels].append((image, look))
    for same in by_bytes.values():
        if len(same) > 1:
            yield from describe_copies("duplicate", same, "the same bytes")
    for alike in by_pixels.values():
        if len({look.sha256 for _, look in alike}) > 1:
            images = [image for image, _ in alike]
            yield from describe_copies("same-pixels", images, "the same pixels, in other bytes,")


def describe_copies(family: str, images: Sequence[FoundImage], what: str) -> Iterator[DataProblem]:
    """Yield what is wrong with one picture being there more than once.

    Args:
        family: How the kinds' names begin, such as ``duplicate``.
        images: Where it is; at least two.
        what: What they share, for the detail.
    """
    paths = sorted(image.path for image in images)
    splits = sorted({image.split for image in images})
    labels = sorted({image.label for image in images})
    if len(splits) > 1:
        yield describe_problem(f"{family}-across-splits", paths, f"{what} in {_join(splits)}")
    if len(labels) > 1:
        yield describe_problem(f"{family}-labels-differ", paths, f"{what} under {_join(labels)}")
    if len(splits) == len(labels) == 1:
        yield describe_problem(f"{family}-in-split", paths, what.rstrip(","))


def _join(names: Sequence[str]) -> str:
    return " and ".join(name or "no name" for name in names)
