"""Checks of how paths and patients' keys are written, also where records know pseudonyms alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from cxr.data.checks.duplicates import Pair
from cxr.data.checks.group_checks import find_ambiguous_groups
from cxr.data.checks.kinds import KINDS, DataProblem
from cxr.data.checks.names_alike import find_names_alike
from cxr.data.sources.pseudonyms import PseudonymousSource
from cxr.data.sources.source import Source


def find_name_problems(source: Source, pairs: Sequence[Pair]) -> Iterator[DataProblem]:
    """Yield what `find_names_alike` and `find_ambiguous_groups` find of the true names.

    Under pseudonyms a problem names these, and its detail, which might quote a patient's number,
    is left out: `cxr data names` tells what they stand for.

    Args:
        source: Where the images come from.
        pairs: Every image that was found, and what was seen of it.
    """
    if not isinstance(source, PseudonymousSource):
        yield from find_names_alike(pairs)
        yield from find_ambiguous_groups(pairs)
        return
    true = [(source.find_real(image), look) for image, look in pairs]
    pseudonyms = {
        named.path: image.path for (named, _), (image, _) in zip(true, pairs, strict=True)
    }
    for problem in (*find_names_alike(true), *find_ambiguous_groups(true)):
        yield replace(
            problem,
            paths=tuple(sorted(pseudonyms[path] for path in problem.paths)),
            detail=f"{KINDS[problem.kind].meaning}; verify without data.pseudonym_key says which",
        )
