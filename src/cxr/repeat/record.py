"""``repeat.json``: what was asked of a series of runs, and what came of it so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cxr.atomic import write_bytes
from cxr.config.load import load_config
from cxr.digests.canonical import canonical_json
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.records.manifest import REPEAT_SCHEMA, is_sealed, seal_manifest
from cxr.records.repeat_record import read_runs
from cxr.records.run_directory import CONFIG, REPEAT
from cxr.repeat.plan import RunPlan
from cxr.repeat.report import RepeatReport
from cxr.repeat.series import Series


def write_repeat(directory: Path, report: RepeatReport, series: Mapping[str, Any]) -> None:
    """Write a series' record, beside its ``config.yaml`` and its runs.

    Args:
        directory: The series' own.
        report: What came of it so far.
        series: What was asked for, so that it can be gone on with.

    Raises:
        StorageError: It cannot be written.
    """
    content = {
        **report.to_json(),
        "runs": [_name(directory, run) for run in report.runs],
        "series": dict(series),
        "config_digest": digest_file(directory / CONFIG),
        "schema": REPEAT_SCHEMA,
    }
    if report.against is not None:
        # A record holds no path outside of it: whose run it was is told by the digests.
        differing = report.against.differing
        content["against"] |= {
            "run": Path(report.against.run).name,
            "differing": None if differing is None else _name(directory, differing),
        }
    write_bytes(directory / REPEAT, canonical_json(seal_manifest(content)) + b"\n")


def load_series(directory: Path) -> Series:
    """Read what was asked for, so that it can be gone on with.

    Raises:
        RecordError: It is no repeat's directory, or its record or config was edited.
        ConfigError: The config cannot be read.
    """
    answer = load_json_object(
        directory / REPEAT,
        hint=f"check the path; a directory that cxr repeat wrote holds {REPEAT}",
    )
    _, num_runs = read_runs(directory, answer)
    if not is_sealed(answer) or not isinstance(answer.get("series", {}), dict) or num_runs < 1:
        raise _refuse("the repeat was edited", directory / REPEAT)
    if not has_its_config(directory, answer):
        raise _refuse("the config was changed since the runs began", directory / CONFIG)
    return read_series(directory, answer)


def read_series(directory: Path, answer: dict[str, Any]) -> Series:
    """Return what a record, edited or not, says was asked for.

    Args:
        directory: The series' own.
        answer: The record. One of the first release does not say: it is of equal runs.

    Raises:
        RecordError: It is no repeat's record.
        ConfigError: The config cannot be read.
    """
    _, num_runs = read_runs(directory, answer)
    asked, against = answer.get("series", {}), answer.get("against")
    return Series(
        config=load_config(directory / CONFIG),
        num_runs=num_runs,
        asked=asked if isinstance(asked, dict) else {},
        against=against if isinstance(against, dict) else None,
    )


def has_its_config(directory: Path, answer: Mapping[str, Any]) -> bool:
    """Say whether the recipe is the one that the runs began with; the first release kept none."""
    config, wanted = directory / CONFIG, answer.get("config_digest")
    return wanted is None or (config.is_file() and digest_file(config) == wanted)


def list_varied(plans: Sequence[RunPlan]) -> dict[str, list[str]]:
    """Return by run, in words, what is varied in it."""
    return {plan.name: list(plan.varied) for plan in plans if plan.varied}


def _name(directory: Path, run: str) -> str:
    return Path(run).relative_to(directory).as_posix()


def _refuse(problem: str, where: Path) -> RecordError:
    return RecordError(
        problem,
        where=str(where),
        hint="restore it, or start a new repeat in another directory; cxr verify says more",
    )
