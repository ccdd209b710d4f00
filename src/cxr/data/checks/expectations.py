"""What the config says that a set is like, held against what it is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from cxr.config.data_section import ExpectConfig
from cxr.data.checks.duplicates import Pair
from cxr.data.checks.kinds import DataProblem, describe_problem
from cxr.data.inspection.look import Look
from cxr.data.labels import find_unknown_labels


def find_unmet_expectations(
    pairs: Sequence[Pair], expect: ExpectConfig, *, where: str
) -> Iterator[DataProblem]:
    """Yield every declaration that the set does not meet.

    An image that could not be decoded has no size to compare; it has a problem of its own.

    Args:
        pairs: Every image that was found, and what was seen of it.
        expect: What the config declares.
        where: What stands for the whole set in a problem that is of no single file.
    """
    if expect.min_samples is not None and len(pairs) < expect.min_samples:
        detail = f"{len(pairs)} samples, at least {expect.min_samples} declared"
        yield describe_problem("too-few-samples", [where], detail)
    yield from _find_other_counts(pairs, expect, where)
    yield from find_other_sizes(pairs, expect)


def find_labels_out_of_range(
    pairs: Sequence[Pair], classes: Sequence[str]
) -> Iterator[DataProblem]:
    """Yield a problem for each label that names no class.

    Args:
        pairs: Every image that was found, and what was seen of it.
        classes: Class names in label order; empty where labels are not known.
    """
    if not classes:
        return
    paths_by_label: dict[str, list[str]] = defaultdict(list)
    for image in find_unknown_labels([image for image, _ in pairs], classes):
        paths_by_label[image.label].append(image.path)
    for label, paths in sorted(paths_by_label.items()):
        detail = f"the label {label!r} is none of {', '.join(classes)}"
        yield describe_problem("label-out-of-range", sorted(paths), detail)


def _find_other_counts(
    pairs: Sequence[Pair], expect: ExpectConfig, where: str
) -> Iterator[DataProblem]:
    """Compare the number of samples of each class that the config names, split by split.

    A sample with several labels counts for each that it is known to have.
    """
    found = Counter(
        (image.split, name) for image, _ in pairs for name in {image.label, *image.label.split("|")}
    )
    for split, counts in sorted((expect.counts or {}).items()):
        others = [
            f"{found[split, label]} of {label} ({wanted} declared)"
            for label, wanted in counts.items()
            if found[split, label] != wanted
        ]
        if others:
            yield describe_problem("counts-differ", [where], f"{split} has {', '.join(others)}")


def find_other_sizes(pairs: Sequence[Pair], expect: ExpectConfig) -> Iterator[DataProblem]:
    """Compare the size of every image, and its number of values; one problem for each other one."""
    paths_by_size: dict[tuple[int, int], list[str]] = defaultdict(list)
    for image, look in pairs:
        if _has_size(look):
            paths_by_size[look.width, look.height].append(image.path)
    for (width, height), paths in sorted(paths_by_size.items()):
        if expect.size is not None and (width, height) != tuple(expect.size):
            wanted = " x ".join(map(str, expect.size))
            detail = f"{width} x {height} px, {wanted} declared"
            yield describe_problem("size-differs", sorted(paths), detail)
        if expect.features is not None and width * height != expect.features:
            detail = f"{width * height} values, {expect.features} declared"
            yield describe_problem("features-differ", sorted(paths), detail)


def _has_size(look: Look) -> bool:
    return look.width > 0 and look.height > 0
