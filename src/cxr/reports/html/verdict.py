"""What a run is, how it ended, what it promises, and its figures in large type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cxr.config.schema import RunConfig
from cxr.determinism.levels import PROMISES
from cxr.plain_text import count
from cxr.reports.html.blocks import (
    Block,
    Facts,
    Headline,
    Headlines,
    Section,
    Statement,
    Text,
    Tone,
)
from cxr.reports.html.run_analysis import MOST_CLASSES, RunAnalysis
from cxr.reports.html.run_records import RunRecords
from cxr.reports.html.wording import FIGURE_TITLES, NO_INTERVAL, show_interval, show_run_time

_LARGE: Final = ("auroc", "balanced_accuracy", "accuracy")
_DIGITS: Final = 3
_MOST_FINDINGS: Final = 8
_SPLITS: Final = {"train": "training", "val": "validation", "test": "test"}


def describe_verdict(records: RunRecords, analysis: RunAnalysis | None) -> Section:
    """Return the first section."""
    return Section(name="verdict", title="Verdict", blocks=list(_list_blocks(records, analysis)))


def _list_blocks(records: RunRecords, analysis: RunAnalysis | None) -> Iterator[Block]:
    yield _describe_end(records)
    yield _describe_verification(records)
    if analysis is not None:
        yield _describe_figures(records, analysis)
    elif records.predictions:
        yield Text(
            text=f"No figures of each class: there are more than {MOST_CLASSES} classes. "
            "cxr evaluate has them."
        )
    yield Facts(facts=_list_facts(records))


def _describe_end(records: RunRecords) -> Statement:
    course = records.course
    steps = "" if course.num_steps is None else f" after {count(course.num_steps, 'step')}"
    said = {
        "completed": f"Completed{steps}.",
        "failed": f"Failed{steps}: it has no figures.",
        "interrupted": f"Interrupted{steps}: it has no figures, and can go on.",
        "running": "Never ended: a process still writes to it, or it was killed.",
    }
    tone: Tone = "good" if course.status == "completed" else "bad"
    return Statement(tone=tone, text=said[course.status], details=course.failure)


def _describe_verification(records: RunRecords) -> Statement:
    found = records.verification
    if found is None:
        return Statement(
            tone="bad", text="Not verified: only a run that ended names what its files must be."
        )
    if found.findings:
        shown = [f"{one.path}: {one.problem}" for one in found.findings[:_MOST_FINDINGS]]
        more = len(found.findings) - len(shown)
        return Statement(
            tone="bad",
            text=f"Not as it was written: {count(len(found.findings), 'finding')}. "
            "Nothing below can be relied on.",
            details=[*shown, *([f"and {more:,} more; cxr verify has all"] if more else [])],
        )
    return Statement(
        tone="good",
        text=f"Consistent: {count(found.num_files, 'file')} and every digest agree.",
        details=["Not authenticated: no signature says who wrote the record."],
    )


def _describe_figures(records: RunRecords, analysis: RunAnalysis) -> Headlines:
    intervals = analysis.intervals
    headlines = []
    for name in _LARGE:
        value = analysis.figures[name]
        note = analysis.figures["undefined"].get(name, "") if value is None else ""
        if value is not None and intervals is not None:
            share = f"{intervals['level'] * 100:.0f} %"
            interval = analysis.interval(name)
            ends = show_interval(interval, digits=_DIGITS)
            note = f"{share} interval {ends}"
            if interval is None or ends == NO_INTERVAL:
                note = f"no {share} interval: {(interval or {}).get('reason') or 'not drawn'}"
        headlines.append(
            Headline(
                name=f"{FIGURE_TITLES[name]}, {_SPLITS.get(records.split, records.split)}",
                value="undefined" if value is None else f"{value:.{_DIGITS}f}",
                note=note,
            )
        )
    return Headlines(headlines=headlines)


def _name_roots(config: RunConfig) -> str:
    """Return the seed, and the roots of streams that do not follow it."""
    own = (f"{stream} from {root}" for stream, root in config.list_own_roots().items())
    return ", ".join([str(config.seed), *own])


def _list_facts(records: RunRecords) -> list[tuple[str, str]]:
    course, config = records.course, records.config
    facts = [
        ("Promise", f"{records.level}: {PROMISES[records.level]}"),
        ("Model", config.model.name),
        ("Classes", _name_classes(records.lock.classes)),
        ("Seed", _name_roots(config)),
    ]
    if records.predictions:
        split = _SPLITS.get(records.split, records.split)
        patients = len({one.group for one in records.lock.samples if one.split == records.split})
        looks = "once" if records.num_looks == 1 else f"{records.num_looks:,} times"
        images = count(len(records.predictions), "image")
        told = f"{images} of {count(patients, 'patient')}, looked at {looks}"
        facts.append((f"The {split} split", told))
    if course.duration_s is not None:
        facts.append(("Time", show_run_time(course.duration_s, course.still_s)))
    facts.append(("Started", course.started))
    if course.num_interruptions:
        facts.append(("Stopped and gone on", f"{course.num_interruptions} times"))
    if course.ops_without_kernel:
        facts.append(("Without a deterministic kernel", ", ".join(course.ops_without_kernel)))
    facts += [
        (name.replace("_", " ").capitalize(), str(records.manifest[name]))
        for name in ("outcome_digest", "trace_digest", "recipe_digest")
        if name in records.manifest
    ]
    return facts


def _name_classes(classes: tuple[str, ...]) -> str:
    shown = classes[:12]
    more = len(classes) - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")
