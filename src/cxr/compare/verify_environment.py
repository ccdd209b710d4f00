"""Comparing this machine's environment with a capture, a run's, a manifest's or a lock's."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

from cxr.compare.environment_reference import Reference
from cxr.compare.environment_report import EnvironmentDifference, EnvironmentReport
from cxr.compare.untold_facts import find_untold
from cxr.determinism.levels import Level
from cxr.environment.capture import capture_environment
from cxr.environment.comparison import (
    SET_FOR_RUNS,
    FactDifference,
    compare_captures,
    find_unread,
)
from cxr.environment.deep import PROBED_GROUPS, capture_deep_environment
from cxr.environment.facts import (
    AS_INSTALLED,
    NOT_READ,
    Capture,
    find_levels,
    flatten_environment,
)
from cxr.environment.locked_origins import compare_origins
from cxr.environment.locked_packages import compare_lock
from cxr.environment.remedies import Situation, derive_remedy
from cxr.errors import UsageError
from cxr.progress import Progress

_RANK: Final = {"yes": 0, "unknown": 1, "no": 2}
_SLOW_GROUPS: Final = (*PROBED_GROUPS, "installed")
"""Groups that only the deep capture reads."""

_LOCK: Final = "lock.digest"
_FROM_THE_LOCK: Final = "lock.differs"
"""How far packages are from their lock, which follows from them and from it."""
_INSTALLED_AS: Final = ("packages.", "origins.")

_CODE_FACTS: Final = ("version", "commit", "branch", "dirty")


def capture_for(reference: Reference, ignored: Sequence[str], progress: Progress) -> Capture:
    """Capture this environment as far as the reference tells, so deeply only where it must be.

    Args:
        reference: What it will be compared with.
        ignored: Facts and groups that are not asked about.
        progress: Told what is being done.

    Raises:
        Interrupted: A signal came.
    """
    found = capture_environment()
    missing = [name for name in find_unread(reference.capture, found) if not _is_in(name, ignored)]
    groups = {name.partition(".")[0] for name in missing}
    if not groups.isdisjoint(_SLOW_GROUPS):
        # A run does not record installed files: then there is nothing to hash gigabytes for.
        return capture_deep_environment(progress, files="installed" in groups)
    return found


def verify_environment(
    reference: Reference, found: Capture, *, level: Level | None = None, ignored: Sequence[str] = ()
) -> EnvironmentReport:
    """Compare an environment with what is expected of it.

    Args:
        reference: What is expected.
        found: The capture of this machine.
        level: Ask about bits at this level instead of the reference's, and about nothing else.
        ignored: Facts, or groups of facts, whose differences do not count.

    Raises:
        UsageError: Something to be ignored is no fact of either side.
    """
    _require_names(reference.capture, found, ignored)
    asked = level or reference.level
    if reference.lock is not None:
        differences = _compare_packages(reference, found, asked)
    else:
        differences = [
            *_compare_facts(reference, found, asked, ignored),
            *_compare_code(reference, found),
        ]
    if level is not None:
        differences = [one for one in differences if one.affects_bits != "no"]
    kept = [one for one in differences if not _is_in(one.field, ignored)]
    situation = Situation(
        expected=reference.capture,
        found=found,
        level=asked,
        from_lock=reference.lock is not None,
    )
    kept.sort(key=lambda one: _RANK[one.affects_bits])
    return EnvironmentReport(
        verdict="differs" if kept else "verified",
        against=reference.kind,
        level=asked,
        differences=[
            EnvironmentDifference(
                field=one.field,
                expected=one.expected,
                found=one.found,
                affects_bits=one.affects_bits,
                do=derive_remedy(one, situation),
            )
            for one in kept
        ],
        ignored=len(differences) - len(kept),
        unread=find_untold(reference.capture, found, asked),
    )


def _compare_facts(
    reference: Reference, found: Capture, level: Level, ignored: Sequence[str]
) -> list[FactDifference]:
    """Compare fact by fact; what could not be read here differs from what was read there.

    What was not looked for because it is to be ignored is no difference that anybody found.
    """
    expected, looked_at = reference.capture, found
    if reference.is_partial:
        expected, looked_at = (_keep_counting(one, reference.level) for one in (expected, found))
    unread = [
        FactDifference(
            field=name,
            expected=flatten_environment(expected)[name],
            found=NOT_READ,
            affects_bits="yes" if level in find_levels(name) else "no",
        )
        for name in find_unread(expected, found)
        if not _is_in(name, ignored)
    ]
    differences = [*compare_captures(expected, looked_at, level), *unread]
    left_out = set(SET_FOR_RUNS) if reference.is_of_run else set()
    if any(one.field == _LOCK or one.field.startswith(_INSTALLED_AS) for one in differences):
        left_out.add(_FROM_THE_LOCK)
    return [one for one in differences if one.field not in left_out]


def _keep_counting(found: Capture, level: Level) -> Capture:
    """Leave out of a capture what a manifest does not hold; of packages it names all."""
    return {
        group: {
            name: value
            for name, value in facts.items()
            if group in ("packages", "code") or level in find_levels(f"{group}.{name}")
        }
        if isinstance(facts, dict)
        else facts
        for group, facts in found.items()
    }


def _compare_code(reference: Reference, found: Capture) -> list[FactDifference]:
    """Compare cxr's sources; other sources may or may not compute other bits."""
    expected, here = reference.capture.get("code"), found.get("code")
    if not isinstance(expected, dict) or not isinstance(here, dict):
        return []
    other = expected.get("digest") != here.get("digest")
    names = _CODE_FACTS if other or reference.kind == "capture" else ()
    changed = [
        FactDifference(
            field="code.digest",
            expected=expected.get("digest"),
            found=here.get("digest"),
            affects_bits="unknown",
        )
    ]
    described = [
        FactDifference(
            field=f"code.{name}", expected=expected[name], found=here[name], affects_bits="no"
        )
        for name in names
        if name in expected and name in here and expected[name] != here[name]
    ]
    return [*(changed if other else []), *described]


def _compare_packages(reference: Reference, found: Capture, level: Level) -> list[FactDifference]:
    """Compare what is installed, where it came from, and what is imported, with what is locked."""
    if reference.lock is None:
        return []
    versions = compare_lock(reference.lock, found["packages"])
    origins = compare_origins(reference.lock, found["origins"])
    named = {f"packages.{name}": pair for name, pair in versions.items()}
    # Another version is another package, from wherever it came.
    named |= {f"origins.{name}": {**origins[name]} for name in origins if name not in versions}
    shadowed = [
        FactDifference(
            field=f"imported.{name}",
            expected=AS_INSTALLED,
            found=place,
            affects_bits="yes" if level in find_levels(f"imported.{name}") else "no",
        )
        for name, place in found.get("imported", {}).items()
        if place != AS_INSTALLED
    ]
    return shadowed + [
        FactDifference(
            field=field,
            expected=pair["locked"],
            found=pair["installed"],
            affects_bits="yes" if level in find_levels(field) else "no",
        )
        for field, pair in named.items()
    ]


def _is_in(name: str, patterns: Sequence[str]) -> bool:
    """Say whether a fact is one of those named, or in a group that is."""
    return any(name == pattern or name.startswith(f"{pattern}.") for pattern in patterns)


def _require_names(expected: Capture, found: Capture, ignored: Sequence[str]) -> None:
    """Refuse to ignore what is not there: a slip of the pen would ignore nothing, unseen."""
    known = {
        f"{group}.{fact}"
        for capture in (expected, found)
        for group, facts in capture.items()
        if isinstance(facts, dict)
        for fact in facts
    } | {group for capture in (expected, found) for group in capture if group != "schema"}
    for pattern in ignored:
        if not any(_is_in(name, [pattern]) for name in known):
            close = difflib.get_close_matches(pattern, sorted(known), n=3, cutoff=0.5)
            raise UsageError(
                f"no fact is called {pattern!r}",
                where="--ignore",
                hint=f"perhaps {' or '.join(close)}"
                if close
                else "name a fact or a group, such as packages.rich or os",
            )
