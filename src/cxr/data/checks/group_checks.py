"""Groups, which are patients: none may be in two splits, and one key should be one patient."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from cxr.data.checks.duplicates import Pair
from cxr.data.checks.kinds import DataProblem, describe_problem
from cxr.data.sources.source import FoundImage

Groups = Mapping[str, Sequence[FoundImage]]
"""The images of each group."""

_RUNS: Final = re.compile(r"\d+|/|[^\d/]+")
"""A key's numbers and words; `derive_group` joins what a pattern captures by ``/``."""
_WHOLE: Final = re.compile(r"^(\d+)\.0+$")
"""A whole number, as pandas writes it where the column has a gap."""
_MAX_WORDS: Final = 8
"""A part of a key that has more values than this is no category but belongs to a name."""
_MIN_GROUPS: Final = 3
"""Fewer groups that fall apart in one way may do so by chance."""
_NUM_EXAMPLES: Final = 3


def find_groups_in_two_splits(pairs: Sequence[Pair]) -> Iterator[DataProblem]:
    """Yield a problem for each group that has images in more than one split.

    Args:
        pairs: Every image that was found, and what was seen of it.
    """
    for group, images in sorted(_collect_groups(pairs).items()):
        if len(splits := sorted(_splits_of(images))) > 1:
            detail = f"group {group} is in {' and '.join(splits)}"
            yield describe_problem("group-in-two-splits", _list_paths(images), detail)


def find_ambiguous_groups(pairs: Sequence[Pair]) -> Iterator[DataProblem]:
    """Yield a problem for each way in which a group's key may not be one patient.

    It may be too fine: two keys that differ in how they are written alone may be one patient; and
    keys that differ in one word alone share their number. It may be too coarse: images of one
    group differ in a word that parts every group by splits. Images whose group is their own name
    have no key, so nothing is said of them.

    Args:
        pairs: Every image that was found, and what was seen of it.
    """
    keyed = [
        pair for pair in pairs if pair[0].group not in (pair[0].path, pair[0].path.split("/")[-1])
    ]
    groups = _collect_groups(keyed)
    yield from _find_respelt(groups)
    yield from _find_shared_numbers(groups)
    yield from _find_words_left_out(groups)


def _find_respelt(groups: Groups) -> Iterator[DataProblem]:
    """Name keys that are one key written in several ways; once for all of them."""
    alike: dict[str, list[str]] = defaultdict(list)
    for group in groups:
        alike[_normalise_spelling(group)].append(group)
    respelt = [sorted(names) for names in alike.values() if len(names) > 1]
    if not respelt:
        return
    joined = [[image for name in names for image in groups[name]] for names in respelt]
    in_splits = sum(len(_splits_of(images)) > 1 for images in joined)
    examples = [" and ".join(map(repr, names)) for names in sorted(respelt)[:_NUM_EXAMPLES]]
    more = ", …" if len(respelt) > _NUM_EXAMPLES else ""
    detail = (
        f"keys of {len(respelt):,} patients are written in several ways, which differ in case, "
        "Unicode form, spaces, leading zeros or a final .0 alone "
        f"({', '.join(examples)}{more}); taken for one patient each, "
        f"{in_splits} would be in two splits"
    )
    firsts = [groups[name][0] for names in respelt for name in names]
    yield describe_problem("group-ambiguous", _list_paths(firsts), detail)


def _normalise_spelling(key: str) -> str:
    """Return what is left of a key where the ways of writing it do not count."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", key).casefold())
    whole = _WHOLE.sub(r"\1", "".join(folded.split()))
    runs = _RUNS.findall(whole)
    return "".join(run.lstrip("0") or "0" for run in runs)


def _find_shared_numbers(groups: Groups) -> Iterator[DataProblem]:
    """Name each word of a key without which groups of two splits, or labels, would be one.

    Keys are compared only where they are built alike: ``NORMAL2-IM-7`` and ``IM-7`` are not. A
    single word in front of the numbers names their series: nobody takes ``IM-7`` for ``person7``.
    How keys are written does not count here.
    """
    merged: dict[tuple[str, ...], dict[tuple[str, ...], list[str]]] = defaultdict(
        lambda: defaultdict(list)
    )
    respelt: dict[str, list[FoundImage]] = defaultdict(list)
    for group, images in groups.items():
        respelt[_normalise_spelling(group)] += images
    for group in respelt:
        runs = _RUNS.findall(group)
        numbers = [place for place, run in enumerate(runs) if run.isdecimal()]
        for place in range(len(runs)) if numbers else ():
            only_series = place < numbers[0] and len(numbers) == len(runs) - 1
            if place in numbers or runs[place] == "/" or only_series:
                continue
            rest = (*runs[:place], "*", *runs[place + 1 :])
            build = tuple("#" if run.isdecimal() else run for run in rest)
            merged[build][rest].append(group)
    for build, by_rest in merged.items():
        shared = [names for names in by_rest.values() if len(names) > 1]
        words = {_RUNS.findall(name)[build.index("*")] for names in shared for name in names}
        if not shared or len(words) > _MAX_WORDS:
            continue
        joined = [[image for name in names for image in respelt[name]] for names in shared]
        in_splits = sum(len(_splits_of(images)) > 1 for images in joined)
        under_labels = sum(len({image.label for image in images}) > 1 for images in joined)
        if in_splits or under_labels:
            detail = (
                f"{len(shared)} numbers stand in several groups, which differ in a word alone "
                f"({', '.join(sorted(words))}); taken for one patient each, {in_splits} would be "
                f"in two splits and {under_labels} under two labels: do the numbers run separately?"
            )
            firsts = [respelt[name][0] for names in shared for name in names]
            yield describe_problem("group-ambiguous", _list_paths(firsts), detail)


def _find_words_left_out(groups: Groups) -> Iterator[DataProblem]:
    """Name a word of file names that would keep every group in one split, were it in the key.

    A word that itself tells the splits apart explains nothing.
    """
    leaking = [images for images in groups.values() if len(_splits_of(images)) > 1]
    if len(leaking) < _MIN_GROUPS:
        return
    runs_of = {
        image.path: _RUNS.findall(PurePosixPath(image.path).stem)
        for images in groups.values()
        for image in images
    }
    shortest = min(len(runs_of[image.path]) for images in leaking for image in images)
    for place in range(shortest):
        words = {runs_of[image.path][place] for images in leaking for image in images}
        if any(word.isdecimal() for word in words) or len(words) > _MAX_WORDS:
            continue
        splits_of_word: dict[str, set[str]] = defaultdict(set)
        splits_of_part: dict[tuple[int, str], set[str]] = defaultdict(set)
        for number, images in enumerate(groups.values()):
            for image in images:
                word = "".join(runs_of[image.path][place : place + 1])
                splits_of_word[word].add(image.split)
                splits_of_part[number, word].add(image.split)
        tells_splits_apart = all(len(splits_of_word[word]) == 1 for word in words)
        if all(len(splits) == 1 for splits in splits_of_part.values()) and not tells_splits_apart:
            detail = (
                f"{len(leaking)} groups are in two splits, and none would be if a word of the "
                f"files' names ({', '.join(sorted(words))}) were in the key: do the numbers run "
                "separately?"
            )
            firsts = [images[0] for images in leaking]
            yield describe_problem("group-ambiguous", _list_paths(firsts), detail)


def _collect_groups(pairs: Sequence[Pair]) -> dict[str, list[FoundImage]]:
    """Return the images of each group, both in the order of their names."""
    groups: dict[str, list[FoundImage]] = defaultdict(list)
    for image, _ in sorted(pairs, key=lambda pair: (pair[0].group, pair[0].path)):
        groups[image.group].append(image)
    return groups


def _splits_of(images: Sequence[FoundImage]) -> set[str]:
    return {image.split for image in images}


def _list_paths(images: Sequence[FoundImage]) -> list[str]:
    return sorted(image.path for image in images)
