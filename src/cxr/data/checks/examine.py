"""Everything that is looked at before a set is trusted, in one list.

``cxr data verify``, ``cxr data lock`` and ``cxr train`` ask here, so they never disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cxr.config.data_section import DataConfig
from cxr.data.checks.acceptance import mark_accepted
from cxr.data.checks.decoders import find_other_decoder, find_unknown_decoder
from cxr.data.checks.duplicates import find_duplicates
from cxr.data.checks.expectations import find_labels_out_of_range, find_unmet_expectations
from cxr.data.checks.group_checks import find_groups_in_two_splits
from cxr.data.checks.kinds import DataProblem, describe_problem
from cxr.data.checks.lock_comparison import compare_with_lock
from cxr.data.checks.near_duplicates import find_near_duplicates
from cxr.data.checks.report import sort_problems
from cxr.data.checks.single_image import find_image_problems
from cxr.data.checks.true_names import find_name_problems
from cxr.data.decoding.window import derive_window
from cxr.data.inspection.look import Look
from cxr.data.sources.source import FoundImage, Source
from cxr.records.set_lock import SetLock

Decoder = Mapping[str, Mapping[str, str]]


def examine(
    source: Source,
    pairs: Sequence[tuple[FoundImage, Look]],
    config: DataConfig,
    *,
    decoder: Decoder,
    lock: SetLock | None,
    rules: Mapping[str, Any] | None,
) -> list[DataProblem]:
    """Return everything that is wrong with a set, in itself and against its lock, errors first.

    Args:
        source: Where its images come from.
        pairs: Every image that was found, and what was seen of it.
        config: The data section: what it declares, and what it accepts.
        decoder: See `capture_decoder`.
        lock: What the set must be equal to; None if there is no lock.
        rules: See `compare_with_lock`.
    """
    problems = examine_set(source, pairs, config, decoder=decoder)
    if lock is None:
        return problems
    against = hold_against(lock, pairs, classes=source.classes, decoder=decoder, rules=rules)
    return sort_problems([*problems, *mark_accepted(against, config.accept)])


def hold_against(
    lock: SetLock,
    pairs: Sequence[tuple[FoundImage, Look]],
    *,
    classes: Sequence[str],
    decoder: Decoder,
    rules: Mapping[str, Any] | None,
) -> list[DataProblem]:
    """Return in what a set differs from a lock; see `examine`."""
    return [
        *find_other_decoder(decoder, lock.decoder),
        *compare_with_lock(pairs, lock, classes=classes, rules=rules),
    ]


def examine_set(
    source: Source,
    pairs: Sequence[tuple[FoundImage, Look]],
    config: DataConfig,
    *,
    decoder: Decoder,
) -> list[DataProblem]:
    """Return everything that is wrong with a set in itself, errors first; see `examine`."""
    problems = [
        *_find_image_problems(source, pairs, config),
        *(describe_problem(kind, [path], detail) for path, kind, detail in source.find_strays()),
        *find_duplicates(pairs),
        *find_near_duplicates(pairs),
        *find_groups_in_two_splits(pairs),
        *find_name_problems(source, pairs),
        *find_labels_out_of_range(pairs, source.classes),
        *find_unmet_expectations(pairs, config.expect, where=str(source.root)),
        *find_unknown_decoder(decoder),
    ]
    return sort_problems(mark_accepted(problems, config.accept))


def _find_image_problems(
    source: Source, pairs: Sequence[tuple[FoundImage, Look]], config: DataConfig
) -> Iterator[DataProblem]:
    """Yield what is wrong with single images, and with there being none."""
    if not pairs:
        yield describe_problem("no-images", [str(source.root)], "no image below it, by suffix")
    window = derive_window(config.window)
    for image, look in pairs:
        yield from find_image_problems(image.path, look, window, config.channels)
