"""Which report there is to be: of one run, of several, of a repeat, or of a damaged record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cxr.errors import ConfigError, RecordError, UsageError
from cxr.records.exported import require_no_export
from cxr.records.manifest import load_manifest
from cxr.records.run_directory import MANIFEST, REPEAT
from cxr.reports.html.blocks import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A report, and what it is of.

    Attributes:
        report: The report.
        digest: Hex digits of the records, for a name.
        status: Of one run, how it ended, or ``damaged``; of several, the verdict.
        is_verified: Whether each record is as it was written.
    """

    report: Report
    digest: str
    status: str
    is_verified: bool


def build_report(
    directories: Sequence[Path], *, replicates: int, data: Path | None = None
) -> Reported:
    """Return the report of what was named.

    Args:
        directories: One run or several, or one repeat.
        replicates: Resamples for intervals; 0: none are drawn.
        data: Root of the data set, if pictures of images are to be shown.

    Raises:
        UsageError: A repeat was named beside something else.
        CxrError: What was named is no record, or images are not those that a run used.
        RecordError: An export was named in place of its run.
    """
    for directory in directories:
        require_no_export(directory)
    repeats = [one for one in directories if _is_repeat(one)]
    if repeats and len(directories) > 1:
        raise UsageError(
            "a repeat was named beside other records",
            where=str(repeats[0]),
            hint="name the repeat alone, or runs alone; runs of a repeat may be named too",
        )
    if repeats or len(directories) > 1:
        return _report_several(
            directories, is_repeat=bool(repeats), replicates=replicates, data=data
        )
    return _report_one(directories[0], replicates=replicates, data=data)


def _is_repeat(directory: Path) -> bool:
    return (directory / REPEAT).exists() and not (directory / MANIFEST).exists()


def _report_several(
    directories: Sequence[Path], *, is_repeat: bool, replicates: int, data: Path | None
) -> Reported:
    from cxr.reports.html.several.build import build_report_of_runs, identify
    from cxr.reports.html.several.members import load_repeat, load_runs

    members = load_repeat(directories[0]) if is_repeat else load_runs(directories)
    report, judgement = build_report_of_runs(members, replicates=replicates, data=data)
    return Reported(
        report=report,
        digest=identify(members),
        status=judgement.word,
        is_verified=not members.findings and all(run.is_sound for run in members.runs),
    )


def _report_one(directory: Path, *, replicates: int, data: Path | None) -> Reported:
    from cxr.reports.html.run_records import load_run_records
    from cxr.reports.html.run_report import build_run_report

    try:
        records = load_run_records(directory)
    except (RecordError, ConfigError) as error:
        return _report_damaged(directory, error)
    thumbnails = None
    if data is not None:
        from cxr.reports.html.thumbnails import open_thumbnails

        thumbnails = open_thumbnails(data, records.config.data)
    found = records.verification
    return Reported(
        report=build_run_report(records, replicates=replicates, thumbnails=thumbnails),
        digest=str(records.manifest["manifest_digest"]).removeprefix("sha256:"),
        status=records.course.status,
        is_verified=found is not None and not found.findings,
    )


def _report_damaged(directory: Path, error: RecordError | ConfigError) -> Reported:
    from cxr.digests.canonical import digest_json
    from cxr.reports.html.damaged_run import build_damaged_report

    # What is no run's manifest at all has no page: there is nothing to show.
    manifest = load_manifest(directory)
    return Reported(
        report=build_damaged_report(directory, manifest, error),
        digest=digest_json(manifest).removeprefix("sha256:"),
        status="damaged",
        is_verified=False,
    )
