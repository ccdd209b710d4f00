"""The report of one run: which sections it has, and in which order."""

from __future__ import annotations

from cxr.reports.html.blocks import Report, Section
from cxr.reports.html.checklist import describe_checklist
from cxr.reports.html.confusion import describe_confusion
from cxr.reports.html.data_card import describe_data
from cxr.reports.html.discrimination import describe_discrimination
from cxr.reports.html.hard_images import describe_hard_images
from cxr.reports.html.learning import describe_learning
from cxr.reports.html.machine import describe_machine
from cxr.reports.html.recipe import describe_recipe
from cxr.reports.html.reliability import describe_reliability
from cxr.reports.html.run_analysis import RunAnalysis, analyse_run
from cxr.reports.html.run_records import RunRecords
from cxr.reports.html.subgroup_tables import describe_subgroups
from cxr.reports.html.thumbnails import Thumbnails
from cxr.reports.html.verdict import describe_verdict


def build_run_report(
    records: RunRecords, *, replicates: int, thumbnails: Thumbnails | None = None
) -> Report:
    """Return the report of one run. Equal records give equal reports.

    Args:
        records: Everything that its records tell.
        replicates: Resamples for intervals; 0: none.
        thumbnails: Where pictures of images come from; None: none are shown.

    Raises:
        DataError: An image is not the one that the run used.
    """
    analysis = analyse_run(records, replicates=replicates)
    digest = str(records.manifest["manifest_digest"]).removeprefix("sha256:")
    return Report(
        title=f"Run {records.name}",
        subtitle=f"One training of a chest X-ray classifier; manifest {digest[:16]}",
        sections=[
            describe_verdict(records, analysis),
            describe_recipe(records),
            describe_data(records, thumbnails),
            describe_learning(records),
            *_list_findings(records, analysis, thumbnails),
            describe_machine(records),
            describe_checklist(records, analysis),
        ],
    )


def _list_findings(
    records: RunRecords, analysis: RunAnalysis | None, thumbnails: Thumbnails | None
) -> list[Section]:
    """Return what only a run that completed has to show."""
    if analysis is None:
        return []
    return [
        describe_discrimination(records, analysis),
        describe_confusion(records, analysis),
        describe_reliability(records, analysis),
        describe_subgroups(records),
        describe_hard_images(records, thumbnails),
    ]
