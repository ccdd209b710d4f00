"""Looking every package up for known vulnerabilities, and naming each that could not be.

A pass means that every package was looked up. What could not be looked up is named with the reason,
and does not pass unless the user allows it by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from packaging.utils import is_normalized_name
from packaging.version import Version

from cxr.audit.vulnerabilities import Findings, Vulnerability, parse_version
from cxr.environment.lock_file import Lock
from cxr.environment.origins import is_from_index, read_origin
from cxr.environment.packages import Installed, find_distributions, normalise_name
from cxr.environment.wanted_packages import find_wanted
from cxr.errors import RecordError

Verdict = Literal["clean", "vulnerable", "unchecked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A package to look up.

    Attributes:
        name: Normalised.
        version: As installed or locked; empty where there is none.
        obstacle: Why no service can tell about it, or not all; None: nothing stands in the way.
        is_public: Whether its name may be sent to a service: that of a private project may not.
    """

    name: str
    version: str
    obstacle: str | None
    is_public: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchecked:
    """A package that was not looked up.

    Attributes:
        package: Normalised name.
        version: As installed or locked; empty where there is none.
        reason: Why it was not.
        allowed: Whether the user allowed it by name.
    """

    package: str
    version: str
    reason: str
    allowed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What came of an audit.

    Attributes:
        num_packages: How many there are.
        vulnerabilities: Those known.
        unchecked: Packages that were not looked up, allowed ones too.
    """

    num_packages: int
    vulnerabilities: tuple[Vulnerability, ...]
    unchecked: tuple[Unchecked, ...]

    @property
    def num_audited(self) -> int:
        """How many packages were looked up."""
        return self.num_packages - len(self.unchecked)

    @property
    def verdict(self) -> Verdict:
        """What is to be said in one word: what was found weighs more than what was not checked."""
        if self.vulnerabilities:
            return "vulnerable"
        return "clean" if all(one.allowed for one in self.unchecked) else "unchecked"

    def describe(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return {
            "verdict": self.verdict,
            "audited": self.num_audited,
            "vulnerabilities": [asdict(one) for one in self.vulnerabilities],
            "unchecked": [asdict(one) for one in self.unchecked],
        }


def list_installed(found: Mapping[str, Installed] | None = None) -> list[Candidate]:
    """Return every installed distribution as a package to look up."""
    distributions = find_distributions() if found is None else found
    candidates = []
    for name, installed in distributions.items():
        origin = read_origin(installed.distribution)
        # An index, and with it a service, may know another package by this name.
        known = is_from_index(origin, if_unknown=False)
        obstacle = None if known else f"not from an index: {origin.partition(' ')[0]}"
        candidates.append(_make_candidate(name, installed.version, obstacle))
    return candidates


def list_locked(lock: Lock) -> list[Candidate]:
    """Return what a lock asks for here, and its own projects, as packages to look up."""
    packages = {**lock.own, **find_wanted(lock)}
    return [
        _make_candidate(
            name,
            package.version or "",
            None if package.source == "registry" else f"not from an index: {package.source}",
        )
        for name in sorted(packages)
        for package in packages[name]
    ]


def _make_candidate(name: str, version: str, obstacle: str | None) -> Candidate:
    """Return a candidate, after a look at its name and version."""
    parsed = parse_version(version)
    is_public = obstacle is None and parsed is not None and is_normalized_name(name)
    if obstacle is None and not is_public:
        obstacle = "its name or version is none that an index has"
    if obstacle is None and parsed is not None and parsed.local is not None:
        obstacle = f"a local version: only {parsed.public} was looked up"
    return Candidate(name=name, version=version, obstacle=obstacle, is_public=is_public)


def audit_packages(
    candidates: Iterable[Candidate],
    look_up: Callable[[Mapping[str, str]], Findings],
    *,
    allowed: Iterable[str] = (),
    publish: bool,
) -> AuditReport:
    """Look packages up, and name those that were not.

    Args:
        candidates: The packages.
        look_up: Looks versions up by normalised name.
        allowed: Names of packages that need not be looked up.
        publish: Whether looking up tells somebody else the names; then those of packages that are
            from no index are kept back.

    Raises:
        RecordError: There is no package at all.
    """
    packages = list(dict.fromkeys(candidates))
    if not packages:
        raise RecordError(
            "there is no package to look up",
            where="cxr env audit",
            hint="install cxr again, or name a lock with packages",
        )
    accepted = {normalise_name(name) for name in allowed}
    vulnerabilities: list[Vulnerability] = []
    unchecked = []
    for batch in _divide(packages):
        asked = {
            one.name: str(Version(one.version))
            for one in batch
            if one.is_public or (not publish and parse_version(one.version) is not None)
        }
        findings = look_up(asked)
        vulnerabilities += findings.vulnerabilities
        for one in batch:
            reason = findings.unanswered.get(one.name) or one.obstacle
            if reason is not None:
                unchecked.append(
                    Unchecked(
                        package=one.name,
                        version=one.version,
                        reason=reason,
                        allowed=one.name in accepted,
                    )
                )
    return AuditReport(
        num_packages=len(packages),
        vulnerabilities=tuple(dict.fromkeys(vulnerabilities)),
        unchecked=tuple(unchecked),
    )


def _divide(packages: Iterable[Candidate]) -> list[list[Candidate]]:
    """Return packages in batches that hold each name once, as one answer is about one version."""
    batches: list[list[Candidate]] = []
    num_seen: Counter[str] = Counter()
    for one in packages:
        if num_seen[one.name] == len(batches):
            batches.append([])
        batches[num_seen[one.name]].append(one)
        num_seen[one.name] += 1
    return batches
