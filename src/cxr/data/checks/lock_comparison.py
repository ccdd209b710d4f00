"""Holding a set against its lock: what is missing, extra, renamed, or not as it was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cxr.data.checks.kinds import DataProblem, describe_problem
from cxr.data.checks.names_alike import fold_name
from cxr.data.groups import describe_group
from cxr.data.inspection.look import Look
from cxr.data.sources.source import FoundImage
from cxr.records.set_lock import LockedImage, SetLock

SHARES: Final = ("validation_fraction", "test_fraction")
"""Rules whose change shows in no image, since a lock keeps every group where it is."""

Pair = tuple[FoundImage, Look]


def compare_with_lock(
    pairs: Sequence[Pair],
    lock: SetLock,
    *,
    classes: Sequence[str],
    rules: Mapping[str, Any] | None,
) -> Iterator[DataProblem]:
    """Yield every difference between a set and its lock.

    An image is looked for by its path, then by its bytes: one that was renamed is one problem.

    Args:
        pairs: Every image that was found, and what was seen of it.
        lock: What was locked.
        classes: Class names in label order.
        rules: The rules that labels, groups and splits follow from now. None where nothing is
            known of them, so that images alone are compared.
    """
    found = {image.path: (image, look) for image, look in pairs}
    locked = {image.path: image for image in lock.images}
    gone = sorted(locked.keys() - found.keys())
    come = sorted(found.keys() - locked.keys())
    renamed = _pair_by_bytes([locked[path] for path in gone], [found[path] for path in come])
    for old, (image, _) in renamed:
        detail = f"{old.path} in the lock, {image.path} now, with the same bytes"
        yield describe_problem("renamed", sorted([old.path, image.path]), detail)
    yield from _name_unpaired(
        [path for path in gone if path not in {old.path for old, _ in renamed}],
        [path for path in come if path not in {image.path for _, (image, _) in renamed}],
    )
    same = [(locked[path], found[path]) for path in sorted(found.keys() & locked.keys())]
    for old, pair in [*same, *renamed]:
        yield from _compare_images(old, pair, by_rules=rules is not None)
    if rules is not None:
        yield from _compare_rules(lock, classes, rules)


def _pair_by_bytes(
    gone: Sequence[LockedImage], come: Sequence[Pair]
) -> list[tuple[LockedImage, Pair]]:
    """Pair images of the lock with found ones that have the same bytes, in path order."""
    waiting: dict[str, list[Pair]] = defaultdict(list)
    for image, look in reversed(come):
        if look.sha256:
            waiting[look.sha256].append((image, look))
    return [(old, waiting[old.sha256].pop()) for old in gone if waiting[old.sha256]]


def _name_unpaired(missing: Sequence[str], extra: Sequence[str]) -> Iterator[DataProblem]:
    """Name files that are on one side alone, and say where only the spelling differs."""
    respelt = set(map(fold_name, missing)) & set(map(fold_name, extra))
    for kind, paths, detail in (
        ("missing", missing, "in the lock, not in the data set"),
        ("extra", extra, "in the data set, not in the lock"),
    ):
        for path in paths:
            spelling = ", which spells it in another case or Unicode form"
            yield describe_problem(kind, [path], detail + spelling * (fold_name(path) in respelt))


def _compare_images(old: LockedImage, pair: Pair, *, by_rules: bool) -> Iterator[DataProblem]:
    """Compare one image with its entry, under its path now."""
    image, look = pair
    # Of a file that could not be read nothing is known, and that is a problem of its own.
    if look.sha256 not in (old.sha256, ""):
        detail = f"{look.num_bytes:,} bytes that are not the {old.bytes:,} of the lock"
        yield describe_problem("changed", [image.path], detail)
    elif (look.pixels or look.findings) and old.pixels and look.pixels != old.pixels:
        # A lock of a run knows no pixels, nor does a look at bytes alone, which finds nothing.
        detail = "the lock's bytes, but they decode to other pixels here"
        yield describe_problem("pixels-changed", [image.path], detail)
    if not by_rules:
        return
    aspects = [
        ("label-changed", old.label, image.label),
        ("split-changed", old.split, image.split),
        (
            "group-changed",
            describe_group(old.path, old.group),
            describe_group(image.path, image.group),
        ),
    ]
    for kind, then, now in aspects:
        if then != now:
            yield describe_problem(kind, [image.path], f"{then} in the lock, {now} now")


def _compare_rules(
    lock: SetLock, classes: Sequence[str], rules: Mapping[str, Any]
) -> Iterator[DataProblem]:
    """Name another order of classes, and other rules for splits than the lock was made by."""
    values: list[tuple[str, Any, Any]] = []
    if rules:
        # Of a directory by itself they are the names of its folders.
        values.append(("classes", list(lock.classes), list(classes)))
    splits_are_made = any(rules.get(name) or lock.rules.get(name) for name in SHARES)
    if splits_are_made and not lock.of_run:
        values += [
            (name, lock.rules.get(name), rules.get(name)) for name in (*SHARES, "split_seed")
        ]
    for name, then, now in values:
        if then != now:
            detail = f"data.{name} is {now}, and was {then} when the set was locked"
            yield describe_problem("rules-changed", [], detail)
