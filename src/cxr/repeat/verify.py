"""Checking a repeat: its answer against its own digest and its runs, and each of the runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from cxr.compare.verify_figures import is_same_figure
from cxr.compare.verify_findings import EDITED, Finding, Verification
from cxr.compare.verify_run import verify_run
from cxr.config.load import load_config
from cxr.digests.files import digest_file
from cxr.errors import CxrError, RecordError
from cxr.json_file import load_json_object
from cxr.records.manifest import is_sealed
from cxr.records.repeat_record import read_runs
from cxr.records.run_directory import CONFIG, LOCK, REPEAT
from cxr.repeat.judge import judge_series, outline_series
from cxr.repeat.pool import CONFIGS
from cxr.repeat.record import list_varied
from cxr.repeat.report import RepeatReport, judge_against, summarise_runs
from cxr.repeat.series import SEEDS, VARY, Series, plan_series

_ROUNDED: Final = ("seeds", "factors")
"""Fields with logarithms, quantiles and norms in them."""

_LATER: Final = ("unfinished",)
"""What records of the first release do not have."""


def verify_repeat(directory: Path) -> Verification:
    """Check a repeat and each of its runs.

    Raises:
        RecordError: ``repeat.json`` is no repeat's.
    """
    answer = load_json_object(directory / REPEAT)
    runs, num_runs = read_runs(directory, answer)
    findings = [] if is_sealed(answer) else [Finding(REPEAT, EDITED)]
    try:
        report = _judge_again(directory, answer, list(runs.values()), num_runs)
    except CxrError as error:
        findings.append(Finding(REPEAT, f"cannot be judged again: {error.problem}"))
        report = summarise_runs(list(runs.values()), num_runs)
    again = {**report.to_json(), "runs": list(runs)}
    findings += [
        Finding(REPEAT, f"{name} is not what the runs give")
        for name, value in again.items()
        if not _is_same(name, answer.get(name), value) and (name in answer or name not in _LATER)
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
    findings += _compare_with_plan(directory, answer, num_runs)
    beside = {entry.name for entry in directory.iterdir()} - {*runs, REPEAT, CONFIG, CONFIGS, LOCK}
    findings += [Finding(name, "was added: the repeat does not name it") for name in sorted(beside)]
    return Verification(str(answer.get("verdict")), num_files, 0, findings)


def _judge_again(
    directory: Path, answer: dict[str, Any], runs: list[Path], num_runs: int
) -> RepeatReport:
    """Return what the runs give once more, of the kind of series that the answer says it is.

    One that was killed before its runs were judged holds no more than their outline.
    """
    asked = answer.get("series")
    if not isinstance(asked, dict) or asked.get("kind") not in (SEEDS, VARY):
        return summarise_runs(runs, num_runs)
    series = Series(config=load_config(directory / CONFIG), num_runs=num_runs, asked=asked)
    is_judged = "seeds" in answer or "factors" in answer or answer.get("verdict") != "incomplete"
    return judge_series(series, runs) if is_judged else outline_series(series, runs)


def _compare_with_plan(directory: Path, answer: dict[str, Any], num_runs: int) -> list[Finding]:
    """Hold the recipe, the number of runs and what was varied against what was asked for."""
    config = directory / CONFIG
    wanted = answer.get("config_digest")
    if wanted is not None and (not config.is_file() or digest_file(config) != wanted):
        return [Finding(CONFIG, "was changed since the runs began")]
    findings = [
        Finding(REPEAT, f"{name} is of another kind of series")
        for name, kind in (("seeds", SEEDS), ("factors", VARY))
        if name in answer and answer.get("series", {}).get("kind") != kind
    ]
    asked = answer.get("series")
    if not isinstance(asked, dict):
        return findings
    try:
        series = Series(config=load_config(config), num_runs=num_runs, asked=asked)
        plans = plan_series(series)
    except (CxrError, LookupError, TypeError, ValueError):
        return [*findings, Finding(REPEAT, "series is not one that cxr plans")]
    if len(plans) != num_runs:
        findings.append(Finding(REPEAT, f"n is not the number of planned runs, {len(plans)}"))
    if "varied" in answer and answer["varied"] != list_varied(plans):
        findings.append(Finding(REPEAT, "varied is not what the series varies"))
    return findings


def _is_same(name: str, said: object, again: object) -> bool:
    """Compare exactly, but for figures that another machine's libraries may round otherwise."""
    return is_same_figure(said, again) if name in _ROUNDED else said == again


def _agrees(against: object, report: RepeatReport) -> bool:
    """Say whether what is recorded of another run follows from its digests and the runs."""
    if not isinstance(against, dict):
        return False
    outcome, trace = against.get("outcome_digest"), against.get("trace_digest")
    pairs = list(zip(report.outcome_digests, report.trace_digests, strict=True))
    equal, place = judge_against(str(outcome), trace, pairs, report.n)
    differs = against.get("differing") is not None
    return against.get("equal") is equal and differs == (place is not None)
