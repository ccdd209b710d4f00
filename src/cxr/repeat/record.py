"""``repeat.json``: what was asked of a series of runs, and what came of it so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cxr.atomic import write_bytes
from cxr.digests.canonical import canonical_json
from cxr.digests.files import digest_file
from cxr.records.manifest import REPEAT_SCHEMA, seal_manifest
from cxr.records.run_directory import CONFIG, REPEAT
from cxr.repeat.plan import RunPlan
from cxr.repeat.report import RepeatReport


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


def list_varied(plans: Sequence[RunPlan]) -> dict[str, list[str]]:
    """Return by run, in words, what is varied in it."""
    return {plan.name: list(plan.varied) for plan in plans if plan.varied}


def _name(directory: Path, run: str) -> str:
    return Path(run).relative_to(directory).as_posix()
