"""Comparing the samples of two runs: each image once, and without what its config explains."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator
from pathlib import PurePosixPath
from typing import Final

from cxr.compare.report import Difference
from cxr.data.groups import describe_group
from cxr.records.data_lock import DataLock, Sample

_MAKE_SAMPLES: Final = ("data.synthetic.", "data.source", "data.csv.path", "data.csv.suffix")
"""Beginnings of config fields from which every sample follows."""

_MAKE_ASPECTS: Final = {
    "split": {
        "data.split_seed",
        "data.validation_fraction",
        "data.test_fraction",
        "data.group_pattern",
        "data.layout",
        "data.csv.group",
        "data.csv.split",
        "data.csv.split_names",
    },
    "label": {
        "data.classes",
        "data.class_globs",
        "data.csv.label",
        "data.csv.label_separator",
        "data.csv.ignored_labels",
        "data.csv.uncertain",
        "data.csv.blank",
        "data.csv.repeats",
    },
    "group": {"data.group_pattern", "data.csv.group", "data.layout"},
}
"""Config fields from which an image's split, label or group follows."""

_Key = Callable[[Sample], Hashable]


def compare_samples(a: DataLock, b: DataLock, changed_fields: set[str]) -> Iterator[Difference]:
    """Compare the samples of two data sets.

    An image is first looked for by its path, then by name and bytes, then by bytes: one that was
    moved or renamed is one difference.

    Args:
        a: The first one's lock.
        b: The second's.
        changed_fields: Config fields in which they differ; what follows from one is not listed.
    """
    if any(name.startswith(_MAKE_SAMPLES) for name in changed_fields):
        return
    follows = {aspect for aspect, names in _MAKE_ASPECTS.items() if changed_fields & names}
    only_a = {sample.path: sample for sample in a.samples}
    only_b = {sample.path: sample for sample in b.samples}
    for key in (_by_path, _by_name_in_split, _by_name, _by_bytes):
        for sample_a, sample_b in _pair(only_a, only_b, key):
            yield from _compare_pair(sample_a, sample_b, follows)
    for path in sorted({*only_a, *only_b}):
        values = [only[path].sha256 if path in only else None for only in (only_a, only_b)]
        yield Difference(part="data", field=path, a=values[0], b=values[1], affects_bits="yes")


def _by_path(sample: Sample) -> Hashable:
    return sample.path


def _by_name_in_split(sample: Sample) -> Hashable:
    return PurePosixPath(sample.path).name, sample.sha256, sample.split


def _by_name(sample: Sample) -> Hashable:
    return PurePosixPath(sample.path).name, sample.sha256


def _by_bytes(sample: Sample) -> Hashable:
    return sample.sha256


def _pair(
    only_a: dict[str, Sample], only_b: dict[str, Sample], key: _Key
) -> list[tuple[Sample, Sample]]:
    """Take out of both what has the same key, in path order."""
    waiting: dict[Hashable, list[Sample]] = defaultdict(list)
    for path in sorted(only_b, reverse=True):
        waiting[key(only_b[path])].append(only_b[path])
    pairs = [
        (only_a[path], waiting[key(only_a[path])].pop())
        for path in sorted(only_a)
        if waiting[key(only_a[path])]
    ]
    for sample_a, sample_b in pairs:
        del only_a[sample_a.path], only_b[sample_b.path]
    return pairs


def _compare_pair(a: Sample, b: Sample, follows: set[str]) -> Iterator[Difference]:
    """Compare an image's pixels, label, split, group and name, but for what the config explains."""
    moved = False
    for aspect, field, value_a, value_b in (
        ("pixels", a.path, a.sha256, b.sha256),
        ("label", f"{a.path}#label", a.label, b.label),
        ("split", f"{a.path}#split", a.split, b.split),
    ):
        if value_a == value_b:
            continue
        # Its class or its split is a folder: another path is the same difference.
        moved |= aspect != "pixels"
        if aspect not in follows:
            yield Difference(part="data", field=field, a=value_a, b=value_b, affects_bits="yes")
    groups = [describe_group(one.path, one.group) for one in (a, b)]
    # Where images have other names, pseudonyms perhaps, so may groups.
    if a.path == b.path and groups[0] != groups[1] and "group" not in follows:
        yield Difference(
            part="data", field=f"{a.path}#group", a=groups[0], b=groups[1], affects_bits="no"
        )
    renamed = PurePosixPath(a.path).name != PurePosixPath(b.path).name
    if a.path != b.path and (renamed or not moved):
        yield Difference(
            part="data", field=f"{a.path}#path", a=a.path, b=b.path, affects_bits="yes"
        )
