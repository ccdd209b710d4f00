"""Comparing two captures, fact by fact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from cxr.determinism.levels import Level
from cxr.determinism.variables import OWN_VARIABLES
from cxr.environment.facts import (
    NAMED_GROUPS,
    NOT_READ,
    Capture,
    find_levels,
    flatten_environment,
)

Affects = Literal["yes", "no", "unknown"]

_FOLLOWING_FACTS: Final = {
    "numerics.cpu_capability": "variables.ATEN_CPU_CAPABILITY",
    "numerics.build_text": "numerics.build",
    "numerics.onednn": "numerics.build",
    "gpu.multiprocessors": "gpu.devices",
    "gpu.device_settings": "gpu.devices",
    "images.canaries_changed": "images.canaries",
    "python.build": "python.version",
    "python.compiler": "python.version",
}
"""Facts that follow from another one, where that differs too."""

_FROM_AN_INDEX: Final = "wheel "
"""How an origin begins that names a wheel's tags: another Python takes another wheel."""

SET_FOR_RUNS: Final = frozenset(
    {f"variables.{name}" for name in OWN_VARIABLES}
    | {"python.hash_randomization", "numerics.threads"}
)
"""What cxr sets for every run, so that its value in another process says nothing about one."""

_SET_BY_LIBRARIES: Final = {"variables.KMP_DUPLICATE_LIB_OK": "True"}
"""What a library sets in whatever process imports it, which is no choice of anybody's.

Source: ``threadpoolctl``, which sets it when it is imported, unless it is set.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactDifference:
    """One fact in which two environments differ.

    Attributes:
        field: ``group.fact``.
        expected: Its value in the first; None where it has none.
        found: Its value in the second.
        affects_bits: Whether it does, at the level that was asked about.
    """

    field: str
    expected: Any
    found: Any
    affects_bits: Affects


def compare_captures(expected: Capture, found: Capture, level: Level) -> list[FactDifference]:
    """Return every fact in which two captures differ, those that affect bits first.

    A fact that one of them did not read, or that its version of the format does not have, is not
    compared; `find_unread` names those. What follows from another difference is not listed again.
    """
    facts_a, facts_b = flatten_environment(expected), flatten_environment(found)
    changed = {
        name
        for name in {**facts_a, **facts_b}
        if _choose(name, facts_a) != _choose(name, facts_b)
        and is_known(name, expected)
        and is_known(name, found)
    }
    differences = [
        FactDifference(
            field=name,
            expected=facts_a.get(name),
            found=facts_b.get(name),
            affects_bits="yes" if level in find_levels(name) else "no",
        )
        for name in {**facts_a, **facts_b}
        if name in changed and not _follows(name, changed, facts_a, facts_b)
    ]
    return sorted(differences, key=lambda difference: difference.affects_bits != "yes")


def _follows(name: str, changed: set[str], a: dict[str, Any], b: dict[str, Any]) -> bool:
    """Say whether a difference follows from another one that is listed."""
    group, _, package = name.partition(".")
    if group == "imported":
        # Of what is installed on one side only, that is what is told.
        versions = (facts.get(f"packages.{package}") for facts in (a, b))
        return f"packages.{package}" in changed and None in versions
    if group == "origins":
        if f"packages.{package}" in changed:
            return True
        wheels = all(str(facts.get(name)).startswith(_FROM_AN_INDEX) for facts in (a, b))
        return wheels and not changed.isdisjoint({"python.version", "cpu.machine", "os.system"})
    return _FOLLOWING_FACTS.get(name) in changed


def is_chosen(variable: str, value: str) -> bool:
    """Say whether somebody set a variable to this, rather than a library that was imported."""
    return _SET_BY_LIBRARIES.get(f"variables.{variable}") != value


def _choose(name: str, facts: dict[str, Any]) -> Any:
    """Return a fact's value, None where a library gave it rather than the user."""
    value = facts.get(name)
    return None if _SET_BY_LIBRARIES.get(name, NOT_READ) == value else value


def find_unread(expected: Capture, found: Capture) -> list[str]:
    """Return the facts that ``expected`` has and that ``found`` did not look for."""
    names = [name for name, value in flatten_environment(expected).items() if value != NOT_READ]
    return [name for name in names if not is_known(name, found)]


def is_known(name: str, capture: Capture) -> bool:
    """Say whether a capture tells about the fact ``group.fact``, be it that there is none."""
    group, _, fact = name.partition(".")
    facts = capture.get(group)
    if not isinstance(facts, dict):
        return False
    return group in NAMED_GROUPS or facts.get(fact, NOT_READ) != NOT_READ
