"""Everything that is looked at before a set is trusted, in one list.

``cxr data verify``, ``cxr data lock`` and ``cxr train`` ask here, so they never disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cxr.config.data_section import DataConfig
from cxr.data.checks.acceptance import mark_accepted
from cxr.data.checks.decoders import find_other_decoder
from cxr.data.checks.kinds import DataProblem, describe_problem
from cxr.data.checks.lock_comparison import compare_with_lock
from cxr.data.checks.names_alike import find_names_alike
from cxr.data.checks.report import sort_problems
from cxr.data.checks.set_checks import find_duplicates, find_split_groups
from cxr.data.inspection.look import Look
from cxr.data.sources.source import FoundImage, Source
from cxr.records.set_lock import SetLock

Decoder = Mapping[str, Mapping[str, str]]

_WINDOWED = frozenset({"16-bit", "32-bit"})
"""Findings that a declared window answers."""


def examine(
    source: Source,
    pairs: Sequence[tuple[FoundImage, Look]],
    config: DataConfig,
    *,
    decoder: Decoder,
    lock: SetLock | None,
    rules: Mapping[str, Any] | None,
) -> list[DataProblem]:
    """Return everything that is wrong with a set, errors first.

    Args:
        source: Where its images come from.
        pairs: Every image that was found, and what was seen of it.
        config: The data section: what it declares, and what it accepts.
        decoder: See `capture_decoder`.
        lock: What the set must be equal to; None if there is no lock.
        rules: See `compare_with_lock`.
    """
    problems = [
        *_find_image_problems(source, pairs, config),
        *find_duplicates(pairs),
        *find_names_alike(pairs),
        *find_split_groups(pairs),
        *find_other_decoder(decoder, lock.decoder if lock is not None else {}),
    ]
    if lock is not None:
        problems += compare_with_lock(pairs, lock, classes=source.classes, rules=rules)
    return sort_problems(mark_accepted(problems, config.accept))


def _find_image_problems(
    source: Source, pairs: Sequence[tuple[FoundImage, Look]], config: DataConfig
) -> Iterator[DataProblem]:
    """Yield what is wrong with single images, and with there being none."""
    if not pairs:
        yield describe_problem("no-images", [str(source.root)], "no image below it, by suffix")
    answered = _WINDOWED if config.window.kind != "none" else frozenset()
    for image, look in pairs:
        for kind, detail in look.findings:
            if kind not in answered:
                yield describe_problem(kind, [image.path], detail)
