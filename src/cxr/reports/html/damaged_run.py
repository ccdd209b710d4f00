"""The page of a run whose record cannot be relied on: what is wrong, and what is there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cxr.compare.verify_findings import Finding, take
from cxr.compare.verify_run import verify_run
from cxr.digests.files import digest_file
from cxr.errors import ConfigError, RecordError
from cxr.plain_text import count
from cxr.records.epoch_figures import read_epoch_lines
from cxr.records.figures import SCALARS
from cxr.records.ledger import StepRecord, read_whole_lines
from cxr.records.manifest import Manifest
from cxr.records.run_directory import MANIFEST, walk_record
from cxr.reports.html.blocks import Block, Facts, Report, Section, Statement, Table, Text
from cxr.reports.html.wording import show_value

_MOST_FINDINGS: Final = 40
_MOST_ROWS: Final = 200
_SAID: Final[tuple[str, ...]] = (
    "name",
    "status",
    "schema",
    "recipe_digest",
    "outcome_digest",
    "trace_digest",
)
_NOTHING: Final = "-"


def build_damaged_report(
    directory: Path, manifest: Manifest, error: RecordError | ConfigError
) -> Report:
    """Return the report of a run that `cxr.reports.html.run_records` refuses.

    Args:
        directory: The run's.
        manifest: As it stands; anything may be in it.
        error: Why the run is refused.

    Raises:
        RecordError: The directory cannot be read.
    """
    return Report(
        title="A run whose record was changed",
        subtitle="What is there is shown; nothing of it can be relied on",
        sections=[
            _describe_verdict(directory, error),
            _describe_claims(manifest),
            _describe_progress(directory),
            _list_files(directory, take(manifest, "files")),
        ],
    )


def _describe_verdict(directory: Path, error: RecordError | ConfigError) -> Section:
    findings = _verify(directory)
    lines = [f"{one.path}: {one.problem}" for one in findings[:_MOST_FINDINGS]]
    more = len(findings) - len(lines)
    if more > 0:
        lines.append(f"and {more:,} more; cxr verify has all")
    problem = f"{Path(error.where).name}: {error.problem}"
    return Section(
        name="verdict",
        title="Verdict",
        blocks=[
            Statement(
                tone="bad",
                text="Not as it was written: this record was changed, or is damaged. It has no "
                "figures here, because none could be relied on.",
                details=[problem, *(line for line in lines if line != problem)],
            )
        ],
    )


def _verify(directory: Path) -> list[Finding]:
    try:
        return list(verify_run(directory).findings)
    except RecordError as error:
        return [Finding(Path(error.where).name, error.problem)]


def _describe_claims(manifest: Manifest) -> Section:
    facts = [(name, show_value(manifest[name])) for name in _SAID if name in manifest]
    failure = take(manifest, "failure")
    facts += [(f"failure, {name}", show_value(failure[name])) for name in sorted(failure)]
    started = take(manifest, "volatile").get("started")
    facts.append(("started", show_value(started)))
    return Section(name="claims", title="What the manifest claims", blocks=[Facts(facts=facts)])


def _describe_progress(directory: Path) -> Section:
    """Return how far the ledger's chain holds, and the figures by epoch."""
    num_steps, last, problem = 0, None, ""
    try:
        for record in _read_steps(directory):
            num_steps, last = num_steps + ("samples" in record.parts), record
    except RecordError as error:
        problem = error.problem
    held = "nothing" if last is None else f"{count(num_steps, 'step')}, to epoch {last.epoch}"
    blocks: list[Block] = [Text(text=f"The ledger's chain holds for {held}.")]
    if problem:
        blocks.append(Statement(tone="bad", text=f"There it ends: {problem}."))
    rows = list(_list_epochs(directory))
    if rows:
        caption = "Figures by epoch, as they stand in the record"
        blocks.append(
            Table(
                caption=caption, header=["Epoch", "Figures"], rows=rows[-_MOST_ROWS:], numeric=False
            )
        )
    return Section(name="progress", title="How far it came", blocks=blocks)


def _read_steps(directory: Path) -> Iterator[StepRecord]:
    for _, record in read_whole_lines(directory):
        yield record


def _list_epochs(directory: Path) -> Iterator[list[str]]:
    try:
        for number, line in read_epoch_lines(directory):
            yield [str(number), _describe_epoch(_parse(line))]
    except RecordError as error:
        yield [_NOTHING, error.problem]


def _describe_epoch(content: Any) -> str:
    """Return the numbers of one epoch in a line; what is no number is left out."""
    if not isinstance(content, dict):
        return "not readable"
    validation = content.get("val")
    told = {**content, **(validation if isinstance(validation, dict) else {})}
    return ", ".join(
        f"{name} {told[name]:.4f}"
        for name in ("train_loss", *SCALARS)
        if isinstance(told.get(name), float)
    )


def _parse(line: bytes | str) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _list_files(directory: Path, named: dict[str, Any]) -> Section:
    """Return each file that is there or is named, and whether it is as the manifest says."""
    present = {entry.path: entry for entry in walk_record(directory)}
    rows = []
    for name in sorted({*present, *map(str, named)}):
        if name == MANIFEST:
            continue
        if name not in present:
            state = "missing"
        elif not present[name].is_file:
            state = "a link, or no regular file"
        elif name not in named:
            state = "not named by the manifest"
        else:
            same = digest_file(directory / name) == named[name]
            state = "as the manifest says" if same else "changed"
        rows.append([name, state])
    table = Table(
        caption="Files of the record", header=["File", "State"], rows=rows[:_MOST_ROWS],
        numeric=False,
    )  # fmt: skip
    return Section(name="files", title="Files", blocks=[table])
