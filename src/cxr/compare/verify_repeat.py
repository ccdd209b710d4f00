"""Checking a repeat: its answer against its own digest and its runs, and each of the runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from cxr.compare.repeat_report import RepeatReport, judge_against, summarise_runs
from cxr.compare.verify_findings import EDITED, Finding, Verification
from cxr.compare.verify_run import verify_run
from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.records.manifest import REPEAT_SCHEMA, is_sealed
from cxr.records.run_directory import CONFIG, MANIFEST, REPEAT


def verify_repeat(directory: Path) -> Verification:
    """Check a repeat and each of its runs.

    Raises:
        RecordError: ``repeat.json`` is no repeat's.
    """
    answer = load_json_object(directory / REPEAT)
    runs, num_runs = read_runs(directory, answer)
    findings = [] if is_sealed(answer) else [Finding(REPEAT, EDITED)]
    report = summarise_runs(list(runs.values()), num_runs)
    again = {**report.to_json(), "runs": list(runs)}
    findings += [
        Finding(REPEAT, f"{name} is not what the runs give")
        for name, value in again.items()
        if answer.get(name) != value
    ]
    if "against" in answer and not _agrees(answer["against"], report):
        findings.append(Finding(REPEAT, "against is not what the runs give"))
    num_files = 1
    for name, run in runs.items():
        try:
            found = verify_run(run)
        except RecordError as error:
            findings.append(Finding(name, error.problem))
            continue
        findings += [replace(one, path=f"{name}/{one.path}") for one in found.findings]
        num_files += found.num_files
    beside = {entry.name for entry in directory.iterdir()} - {*runs, REPEAT, CONFIG}
    findings += [Finding(name, "was added: the repeat does not name it") for name in sorted(beside)]
    return Verification(str(answer.get("verdict")), num_files, 0, findings)


def _agrees(against: object, report: RepeatReport) -> bool:
    """Say whether what is recorded of another run follows from its digests and the runs."""
    if not isinstance(against, dict):
        return False
    outcome, trace = against.get("outcome_digest"), against.get("trace_digest")
    pairs = list(zip(report.outcome_digests, report.trace_digests, strict=True))
    equal, place = judge_against(str(outcome), trace, pairs, report.n)
    differs = against.get("differing") is not None
    return against.get("equal") is equal and differs == (place is not None)


def find_first_run(directory: Path) -> Path | None:
    """Return the first run of a repeat; None where the directory is no repeat's.

    Raises:
        RecordError: The repeat was edited, or has no run.
    """
    if not (directory / REPEAT).exists() or (directory / MANIFEST).exists():
        return None
    answer = load_json_object(directory / REPEAT)
    runs, _ = read_runs(directory, answer)
    if not is_sealed(answer) or not runs:
        raise RecordError(
            "the repeat was edited" if runs else "the repeat has no run",
            where=str(directory / REPEAT),
            hint="restore it, or name one of the runs; cxr verify says more",
        )
    return next(iter(runs.values()))


def read_runs(directory: Path, answer: dict[str, Any]) -> tuple[dict[str, Path], int]:
    """Return the runs by name, and how many there were to be.

    Raises:
        RecordError: It is no repeat's answer, or names runs that lie elsewhere.
    """
    names, num_runs = answer.get("runs"), answer.get("n")
    runs = {str(name): directory / str(name) for name in names} if isinstance(names, list) else {}
    beside = all(run.parent == directory for run in runs.values())
    if answer.get("schema") != REPEAT_SCHEMA or not isinstance(num_runs, int) or not beside:
        raise RecordError(
            "not a repeat that this version reads",
            where=str(directory / REPEAT),
            hint=f"it reads {REPEAT_SCHEMA}, whose runs stand beside the file",
        )
    return runs, num_runs
