"""What looking at a data set found: the answer of ``cxr data verify``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Self

from cxr.data.checks.kinds import KINDS, SEVERITY_RANK, DataProblem, Severity
from cxr.data.inspection.look import Look
from cxr.label_text import BETWEEN, parse_labels

if TYPE_CHECKING:
    # Whoever tells again what is remembered needs no source, and imports none.
    from cxr.data.sources.source import FoundImage


@dataclass(frozen=True, slots=True, kw_only=True)
class KindSummary:
    """How often a kind of problem was found.

    Attributes:
        kind: A key of `KINDS`.
        severity: How much it matters here.
        groups: Problems of this kind.
        files: Files that they name, each once.
        meaning: What it is.
    """

    kind: str
    severity: Severity
    groups: int
    files: int
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReport:
    """The answer of ``cxr data verify``.

    Attributes:
        verdict: ``differs`` if there is an error, or under ``--strict`` a warning.
        samples: Images that were found.
        bytes: Of all of them.
        lock: The lock that they were held against; None if there was none.
        counts: Images of each class in each split; the empty name is for none. See `count_labels`.
        problems: Everything that was found, errors first.
        decoder: Versions of the libraries that decoded, and the canaries' digests.
        notes: What was not looked at or not compared, a line each.
    """

    verdict: Literal["verified", "differs"]
    samples: int
    bytes: int
    lock: str | None
    counts: dict[str, dict[str, int]]
    problems: tuple[DataProblem, ...]
    decoder: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            **asdict(self),
            "problems": [asdict(problem) for problem in self.problems],
            "notes": list(self.notes),
            "kinds": [asdict(summary) for summary in summarise_kinds(self.problems)],
        }

    @classmethod
    def from_json(cls, answer: Mapping[str, Any]) -> Self:
        """Return the report that `to_json` made plain."""
        problems = tuple(
            DataProblem(**{**problem, "paths": tuple(problem["paths"])})
            for problem in answer["problems"]
        )
        told = {name: value for name, value in answer.items() if name != "kinds"}
        return cls(**{**told, "problems": problems, "notes": tuple(answer["notes"])})


def derive_report(
    pairs: Sequence[tuple[FoundImage, Look]],
    problems: Sequence[DataProblem],
    *,
    strict: bool,
    lock: str | None,
    decoder: Mapping[str, Mapping[str, str]],
    notes: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> DataReport:
    """Put together what was found.

    Args:
        pairs: Every image, and what was seen of it.
        problems: Everything that is wrong, in any order.
        strict: Whether a warning makes the set differ.
        lock: Name of the lock that it was held against.
        decoder: See `capture_decoder`.
        notes: What was not looked at or not compared, a line each.
        classes: Class names in label order; empty where labels are not known.
    """
    return DataReport(
        verdict="differs" if find_grave(problems, strict=strict) else "verified",
        samples=len(pairs),
        bytes=sum(look.num_bytes for _, look in pairs),
        lock=lock,
        counts=count_labels([image for image, _ in pairs], classes),
        problems=tuple(sort_problems(problems)),
        decoder=decoder,
        notes=tuple(notes),
    )


def count_labels(images: Sequence[FoundImage], classes: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return how many images of each split have each label.

    An image that may have several counts for each that it has. One of which nobody knows is
    counted apart, with ``?`` behind its name, and an image that has none as ``-``. A label that
    names no class is counted as it is.

    Args:
        images: What is counted.
        classes: Class names in label order; empty where labels are not known.
    """
    counts: dict[str, dict[str, int]] = {}
    for (split, text), num in Counter((image.split, image.label) for image in images).items():
        of_split = counts.setdefault(split, {})
        for name in _part(text, classes):
            of_split[name] = of_split.get(name, 0) + num
    return counts


def _part(text: str, classes: Sequence[str]) -> list[str]:
    """Return the labels that a text is made of."""
    if text in classes:
        return [text]
    try:
        parse_labels(classes, text)
    except ValueError:
        return [text]
    return text.split(BETWEEN)


def find_grave(problems: Sequence[DataProblem], *, strict: bool = False) -> list[DataProblem]:
    """Return the problems that make a set differ: errors, and under ``strict`` warnings."""
    grave = ("error", "warning") if strict else ("error",)
    return [problem for problem in problems if problem.severity in grave]


def sort_problems(problems: Sequence[DataProblem]) -> list[DataProblem]:
    """Return problems by severity, then in the order of `KINDS`, then by path."""
    place = {kind: number for number, kind in enumerate(KINDS)}
    return sorted(
        problems, key=lambda one: (SEVERITY_RANK[one.severity], place[one.kind], one.paths)
    )


def summarise_kinds(problems: Sequence[DataProblem]) -> list[KindSummary]:
    """Count sorted problems by their kind, in their order."""
    groups = Counter(problem.kind for problem in problems)
    files: dict[str, set[str]] = {kind: set() for kind in groups}
    for problem in problems:
        files[problem.kind].update(problem.paths)
    severities = {problem.kind: problem.severity for problem in problems}
    return [
        KindSummary(
            kind=kind,
            severity=severities[kind],
            groups=num,
            files=len(files[kind]),
            meaning=KINDS[kind].meaning,
        )
        for kind, num in groups.items()
    ]
