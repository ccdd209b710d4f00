"""What a comparison of environments does not cover."""

from __future__ import annotations

from cxr.determinism.levels import Level
from cxr.determinism.variables import NOT_RECORDED
from cxr.environment.comparison import is_known
from cxr.environment.facts import Capture, counts_in, find_levels


def find_untold(expected: Capture, found: Capture, level: Level) -> list[str]:
    """Return the facts that affect bits and that ``expected`` does not tell about.

    A group of which it tells none is named alone. A value that neither side recorded may be
    another.
    """
    untold = []
    for group in (name for name in {**found, **expected} if counts_in(name, level)):
        told, here = expected.get(group), found.get(group)
        facts = {
            **(told if isinstance(told, dict) else {}),
            **(here if isinstance(here, dict) else {}),
        }
        counting = [f"{group}.{fact}" for fact in sorted(facts)]
        counting = [name for name in counting if level in find_levels(name)]
        missing = [
            name
            for name in counting
            if not is_known(name, expected) or _is_withheld(name, told, here)
        ]
        nothing_told = not isinstance(told, dict) or (counting and missing == counting)
        untold += [group] if nothing_told else missing
    return untold


def _is_withheld(name: str, *groups: object) -> bool:
    """Say whether a fact is set on both sides, to a value that none of them recorded."""
    fact = name.partition(".")[2]
    return all(isinstance(one, dict) and one.get(fact) == NOT_RECORDED for one in groups)
