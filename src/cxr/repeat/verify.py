"""Checking a repeat: its answer against its own digest and its runs, and each of the runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cxr.compare.verify_figures import is_same_figure
from cxr.compare.verify_findings import EDITED, Finding, Verification
from cxr.compare.verify_run import verify_run
from cxr.errors import CxrError, RecordError
from cxr.json_file import load_json_object
from cxr.records.figures import SCALARS
from cxr.records.manifest import is_sealed
from cxr.records.repeat_record import read_runs
from cxr.records.run_directory import CONFIG, LOCK, REPEAT
from cxr.repeat.judge import judge_series, outline_series
from cxr.repeat.pool import CONFIGS
from cxr.repeat.record import has_its_config, read_series
from cxr.repeat.report import RepeatReport, judge_against, name_verdict, summarise_runs
from cxr.repeat.series import SEEDS, VARY, Series, plan_series
from cxr.repeat.verify_plan import compare_with_plan

_ROUNDED: Final = ("seeds", "factors")
"""Fields with logarithms, quantiles and norms in them."""


def verify_repeat(directory: Path) -> Verification:
    """Check a repeat and each of its runs.

    Raises:
        RecordError: ``repeat.json`` is no repeat's, or of one that was killed.
    """
    answer = load_json_object(directory / REPEAT)
    runs, num_runs = read_runs(directory, answer)
    findings = [] if is_sealed(answer) else [Finding(REPEAT, EDITED)]
    series, unread = _read_series(directory, answer)
    beside = {entry.name for entry in directory.iterdir()} - {*runs, REPEAT, CONFIG, CONFIGS, LOCK}
    if series is not None and answer.get("verdict") == "incomplete":
        _require_ended(directory, series, beside)
    report = summarise_runs(list(runs.values()), num_runs)
    if series is not None and series.kind in (SEEDS, VARY):
        try:
            report = _judge_again(series, answer, list(runs.values()))
        except CxrError as error:
            unread = error
    if unread is not None and has_its_config(directory, answer):
        findings.append(Finding(REPEAT, f"cannot be judged again: {unread.problem}"))
    findings += _compare_with_runs(answer, report, list(runs))
    members = [_verify_member(name, run) for name, run in runs.items()]
    findings += [finding for member in members for finding in member.findings]
    if not has_its_config(directory, answer):
        findings.append(Finding(CONFIG, "was changed since the runs began"))
    elif series is not None and "series" in answer:
        findings += compare_with_plan(directory, answer, series)
    findings += [Finding(name, "was added: the repeat does not name it") for name in sorted(beside)]
    num_files = 1 + sum(member.num_files for member in members)
    unchecked = [one for member in members for one in member.unchecked]
    return Verification(str(answer.get("verdict")), num_files, 0, findings, unchecked)


def _require_ended(directory: Path, series: Series, beside: set[str]) -> None:
    """Refuse a repeat that was killed: a run of its plan had begun, and it says nothing of it."""
    begun = sorted(beside & {plan.name for plan in plan_series(series)})
    if begun:
        raise RecordError(
            f"the repeat never ended: {begun[0]} had begun",
            where=str(directory),
            hint=f"go on with cxr repeat --resume {shlex.quote(str(directory))}",
        )


def _read_series(directory: Path, answer: dict[str, Any]) -> tuple[Series | None, CxrError | None]:
    """Return what was asked for, or None and why that is not known."""
    if "series" not in answer:
        # The first release had equal runs alone, and did not say so.
        return None, None
    try:
        return read_series(directory, answer), None
    except CxrError as error:
        return None, error


def _judge_again(series: Series, answer: dict[str, Any], runs: list[Path]) -> RepeatReport:
    """Return what the runs give once more.

    A series that was killed before its runs were judged holds no more than their outline.
    """
    is_judged = "seeds" in answer or "factors" in answer or answer.get("verdict") != "incomplete"
    return judge_series(series, runs) if is_judged else outline_series(series, runs)


def _compare_with_runs(
    answer: dict[str, Any], report: RepeatReport, names: list[str]
) -> Iterator[Finding]:
    """Hold every field of the answer against what the runs give."""
    equals_wanted = None
    against = answer.get("against")
    if isinstance(against, dict):
        equals_wanted, differing = _judge_wanted(against, report)
        says_which = against.get("differing") is not None
        if against.get("equal") is not equals_wanted or says_which != (differing is not None):
            yield Finding(REPEAT, "against is not what the runs give")
    elif "against" in answer:
        yield Finding(REPEAT, "against is not what the runs give")
    verdict = name_verdict(report.verdict, equals_wanted=equals_wanted)
    again = {**report.to_json(), "runs": names, "verdict": verdict}
    for name, value in again.items():
        said = answer.get(name)
        if not _is_same(name, said, value) and not _is_of_first_release(name, answer, value):
            yield Finding(REPEAT, f"{name} is not what the runs give")


def _judge_wanted(against: dict[str, Any], report: RepeatReport) -> tuple[bool | None, int | None]:
    """Say whether the runs equal what they were to equal, by its recorded digests."""
    pairs = list(zip(report.outcome_digests, report.trace_digests, strict=True))
    outcome, trace = str(against.get("outcome_digest")), against.get("trace_digest")
    return judge_against(outcome, trace, pairs, report.n)


def _is_same(name: str, said: object, again: object) -> bool:
    """Compare exactly, but for figures that another machine's libraries may round otherwise."""
    return is_same_figure(said, again) if name in _ROUNDED else said == again


def _is_of_first_release(name: str, answer: dict[str, Any], again: Any) -> bool:
    """Say whether a field is as the first release left it, which did not name the series."""
    if "series" in answer:
        return False
    said = answer.get(name)
    if name == "unfinished":
        return said is None
    if name == "verdict":
        # Where a run was missing it did not look at the others.
        return bool(said == "incomplete" and len(answer["runs"]) < answer["n"])
    return name == "metrics" and said == {one: again[one] for one in SCALARS if one in again}


def _verify_member(name: str, run: Path) -> Verification:
    """Check one run; what was found stands by its place in the repeat."""
    try:
        found = verify_run(run)
    except RecordError as error:
        return Verification("", 0, 0, [Finding(name, error.problem)])
    findings, unchecked = (
        [replace(one, path=f"{name}/{one.path}") for one in those]
        for those in (found.findings, found.unchecked)
    )
    return replace(found, findings=findings, unchecked=unchecked)
