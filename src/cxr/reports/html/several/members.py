"""The runs of a report, each with what its record tells, or what is wrong with that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from cxr.compare.verify_findings import Finding, take
from cxr.compare.verify_run import verify_run
from cxr.errors import RecordError, UsageError
from cxr.json_file import load_json_object
from cxr.records.figures import ALL_SCALARS
from cxr.records.manifest import Manifest, load_manifest, load_sealed_run
from cxr.records.repeat_record import read_runs
from cxr.records.run_directory import MANIFEST, REPEAT
from cxr.repeat.verify import verify_repeat

MISSING: Final = "missing"
UNREADABLE: Final = "unreadable"

_DRAWS: Final = ("seed", "streams.", "data.split_seed")
"""Beginnings of config fields that choose what is drawn, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One run of a report.

    Attributes:
        label: What the report calls it.
        directory: Where it is.
        status: ``completed``, ``failed``, ``interrupted`` or ``running``; `MISSING` or `UNREADABLE`
            where its record does not say.
        findings: In what its record is not as it was written.
        name: Of its config.
        digest: Of its manifest; empty where that cannot be relied on.
        fields: Fields of its recipe's config, by dotted name.
        inputs: Digests of its recipe.
        level: The promise.
        outcome: Digest of its outcome; empty unless it completed.
        trace: Digest of its trace; empty unless it completed.
        predictions_digest: Of its predictions; empty unless it completed.
        split: The split that its figures are of; empty unless it completed.
        figures: By name.
        num_steps: Steps that its ledger holds; None where its record does not say.
        resumed_at: The steps at which it went on after a stop.
        failure: What was wrong, where it failed.
    """

    label: str
    directory: Path
    status: str
    findings: Sequence[Finding] = ()
    name: str = ""
    digest: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    level: str = ""
    outcome: str = ""
    trace: str = ""
    predictions_digest: str = ""
    split: str = ""
    figures: Mapping[str, float | None] = field(default_factory=dict)
    num_steps: int | None = None
    resumed_at: Sequence[int] = ()
    failure: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether its record is as it was written."""
        return bool(self.digest) and not self.findings

    @property
    def has_outcome(self) -> bool:
        """Whether it completed, and its record can be relied on."""
        return self.is_sound and self.status == "completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """The runs of a report, in its order.

    Attributes:
        runs: Each of them.
        num_asked: How many there were to be.
        directory: Of the repeat that they are those of; None where they were named one by one.
        findings: In what that record is not as it was written.
        varied: What was other than in the first run, in words, by label.
        answer: That record; empty without one.
    """

    runs: Sequence[Member]
    num_asked: int
    directory: Path | None = None
    findings: Sequence[Finding] = ()
    varied: Mapping[str, Sequence[str]] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_repeat(self) -> bool:
        """Whether they are those of one record of a repeat."""
        return self.directory is not None

    @property
    def with_outcome(self) -> list[Member]:
        """Those that completed, and whose record can be relied on."""
        return [run for run in self.runs if run.has_outcome]


def load_runs(directories: Sequence[Path]) -> Members:
    """Read runs that were named one by one. They keep that order; the first is the reference.

    Raises:
        UsageError: One was named twice.
        RecordError: One is no run's directory.
    """
    known: dict[Path, Path] = {}
    for directory in directories:
        if not (directory / MANIFEST).exists():
            load_manifest(directory)
        if (place := directory.resolve()) in known:
            raise UsageError(
                "a run was named twice",
                where=f"{known[place]} and {directory}",
                hint="name each run once",
            )
        known[place] = directory
    runs = [_load(f"run {place}", one) for place, one in enumerate(directories, start=1)]
    return Members(runs=runs, num_asked=len(runs))


def load_repeat(directory: Path) -> Members:
    """Read the runs of a repeat, in its order.

    Raises:
        RecordError: It is no repeat's answer, or names runs that lie elsewhere.
    """
    answer = load_json_object(directory / REPEAT)
    places, num_asked = read_runs(directory, answer)
    findings = verify_repeat(directory).findings
    own = {
        name: [
            replace(one, path=one.path.removeprefix(f"{name}/"))
            for one in findings
            if _is_of(one, name)
        ]
        for name in places
    }
    runs = [_load(name, place, own[name]) for name, place in places.items()]
    varied = answer.get("varied")
    words = varied if isinstance(varied, dict) else {}
    return Members(
        runs=runs,
        num_asked=num_asked,
        directory=directory,
        findings=[one for one in findings if not any(_is_of(one, name) for name in places)],
        varied={str(name): tuple(map(str, said)) for name, said in words.items() if _is_list(said)},
        answer=answer,
    )


def is_drawn_by(field: str) -> bool:
    """Say whether a config field chooses what is drawn, and nothing else."""
    return field.startswith(_DRAWS)


def _is_of(finding: Finding, run: str) -> bool:
    """Say whether a finding of a repeat is one of a run of it."""
    return finding.path == run or finding.path.startswith(f"{run}/")


def _load(label: str, directory: Path, known: Sequence[Finding] | None = None) -> Member:
    """Read a run; ``known`` is what a check of it found, where that was done already."""
    if not directory.is_dir():
        return Member(label=label, directory=directory, status=MISSING)
    try:
        manifest = load_sealed_run(directory)
        # One that never ended cannot be checked: its manifest names no file.
        if manifest["status"] == "running":
            known = []
        elif known is None:
            known = verify_run(directory).findings
    except RecordError as error:
        findings = [Finding(Path(error.where).name, error.problem), *_find_more(directory)]
        return Member(label=label, directory=directory, status=UNREADABLE, findings=findings)
    return _describe(label, directory, manifest, known)


def _find_more(directory: Path) -> list[Finding]:
    """Return what a check of an edited run finds besides, where it can be checked at all."""
    try:
        return [one for one in verify_run(directory).findings if one.path != MANIFEST]
    except RecordError:
        return []


def _describe(
    label: str, directory: Path, manifest: Manifest, findings: Sequence[Finding]
) -> Member:
    completed = manifest["status"] == "completed"
    figures = manifest["metrics"] if completed else {}
    steps = take(manifest, "trace").get("steps")
    problem = take(manifest, "failure").get("problem", "")
    return Member(
        label=label,
        directory=directory,
        status=manifest["status"],
        findings=findings,
        name=str(manifest.get("name", "")),
        digest=str(manifest["manifest_digest"]),
        fields=manifest["config"]["recipe"],
        inputs=manifest["recipe"],
        level=manifest["recipe"]["determinism"],
        outcome=manifest["outcome_digest"] if completed else "",
        trace=manifest["trace_digest"] if completed else "",
        predictions_digest=manifest["outcome"]["predictions_digest"] if completed else "",
        split=figures.get("split", ""),
        figures={name: _read_figure(figures.get(name)) for name in ALL_SCALARS if name in figures},
        num_steps=steps if type(steps) is int else None,
        resumed_at=_read_stops(manifest),
        failure=str(problem),
    )


def _read_figure(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None


def _read_stops(manifest: Manifest) -> list[int]:
    stops = manifest["volatile"].get("interruptions")
    steps = [stop.get("next_step") for stop in stops or () if isinstance(stop, dict)]
    return [step for step in steps if type(step) is int]


def _is_list(value: Any) -> bool:
    return isinstance(value, list)
