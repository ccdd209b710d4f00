"""What is said about packages: known vulnerabilities, and what could not be looked up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from packaging.version import Version

_FIRST: Final = ("PYSEC-", "CVE-")
"""Identifiers that stand first, of several for one vulnerability; as pip-audit has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vulnerability:
    """One known vulnerability of one installed or locked package.

    Attributes:
        package: Normalised name.
        version: The version that is here.
        id: Its identifier.
        aliases: Other identifiers of it.
        fixed_in: Versions in which it is fixed, in their order.
        summary: One line on what it is; empty where nobody said.
    """

    package: str
    version: str
    id: str
    aliases: tuple[str, ...]
    fixed_in: tuple[str, ...]
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What came of looking some packages up.

    Attributes:
        vulnerabilities: Those found.
        unanswered: By name of a package, why nothing is known about it, or not all.
    """

    vulnerabilities: tuple[Vulnerability, ...]
    unanswered: Mapping[str, str]


def merge_aliases(found: Iterable[Vulnerability]) -> list[Vulnerability]:
    """Return each vulnerability of a package once, however many records there are of it."""
    merged: list[Vulnerability] = []
    for one in sorted(found, key=_rank):
        known = next((known for known in merged if _is_same(known, one)), None)
        if known is None:
            merged.append(one)
            continue
        others = {*known.aliases, *one.aliases, one.id} - {known.id}
        merged[merged.index(known)] = replace(
            known,
            aliases=tuple(sorted(others)),
            fixed_in=sort_versions({*known.fixed_in, *one.fixed_in}),
            summary=known.summary or one.summary,
        )
    return merged


def sort_versions(versions: Iterable[str]) -> tuple[str, ...]:
    """Return versions in their order, what is no version last."""
    return tuple(sorted(versions, key=_version_key))


def parse_version(text: str) -> Version | None:
    """Return a version, or None where the text is none by PEP 440."""
    try:
        return Version(text)
    except ValueError:
        # No version, or a number of more digits than Python takes.
        return None


def _version_key(text: str) -> tuple[bool, Version, str]:
    version = parse_version(text)
    return version is None, version or Version("0"), text


def _rank(one: Vulnerability) -> tuple[str, int, str]:
    place = next((place for place, start in enumerate(_FIRST) if one.id.startswith(start)), 9)
    return one.package, place, one.id


def _is_same(a: Vulnerability, b: Vulnerability) -> bool:
    return a.package == b.package and bool({a.id, *a.aliases} & {b.id, *b.aliases})
