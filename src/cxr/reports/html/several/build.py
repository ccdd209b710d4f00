"""The report of several runs: which sections it has, and in which order."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cxr.digests.canonical import digest_json
from cxr.plain_text import count
from cxr.reports.html.blocks import Report, Section
from cxr.reports.html.several.agreement import list_agreement
from cxr.reports.html.several.common_images import load_shared_images
from cxr.reports.html.several.differences import (
    collect_differences,
    describe_differences,
)
from cxr.reports.html.several.distribution import describe_distribution
from cxr.reports.html.several.factors import collect_factors, list_factors, list_surroundings
from cxr.reports.html.several.figures import describe_figures
from cxr.reports.html.several.judgement import Judgement, judge
from cxr.reports.html.several.members import Members
from cxr.reports.html.several.overview import describe_overview, list_runs
from cxr.reports.html.several.timeline import describe_timeline

_DIGITS: Final = 16


def build_report_of_runs(
    members: Members, *, replicates: int, data: Path | None = None
) -> tuple[Report, Judgement]:
    """Return the report of several runs, and the verdict that stands first in it.

    Args:
        members: The runs.
        replicates: Resamples for intervals; 0: none are drawn.
        data: Root of the data set, if pictures of images are to be shown.

    Raises:
        CxrError: Images are not those that the first run used.
        RecordError: A record that was as it was written when it was checked no longer is.
    """
    differences = collect_differences(members)
    factors = collect_factors(members)
    affecting = differences.affecting if differences is not None else ()
    judgement = judge(members, affecting=affecting, factors=factors)
    shared = load_shared_images(members)
    found: list[Section | None] = [
        describe_overview(members, judgement),
        describe_timeline(members),
        list_surroundings(members) if factors is None else list_factors(factors),
        describe_distribution(members, judgement, shared, replicates=replicates),
        describe_figures(members, replicates=replicates),
        None if shared is None else list_agreement(shared, data=data),
        None if differences is None else describe_differences(differences),
        list_runs(members),
    ]
    names = list(dict.fromkeys(run.name for run in members.runs if run.name))
    kind = "Repeat of" if members.is_repeat else f"{count(len(members.runs), 'run')} of"
    called = " and ".join(names[:2]) if len(names) <= 2 else f"{len(names):,} recipes"  # noqa: PLR2004
    report = Report(
        title=f"{kind} {called or 'an unknown recipe'}",
        subtitle=f"{judgement.word}; records {identify(members)[:_DIGITS]}",
        sections=[section for section in found if section is not None],
    )
    return report, judgement


def identify(members: Members) -> str:
    """Return the digest of the runs' manifests, in their order, as hex digits."""
    digests = [run.digest for run in members.runs]
    answer = members.answer.get("manifest_digest")
    return digest_json([str(answer), *digests]).removeprefix("sha256:")
