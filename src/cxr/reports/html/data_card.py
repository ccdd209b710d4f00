"""What a run was trained and tested on: counts, patients, and what a leak would look like."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from cxr.plain_text import count
from cxr.records.data_lock import DataLock, Sample
from cxr.reports.html.blocks import Block, Facts, Pictures, Section, Statement, Table, Text, Titled
from cxr.reports.html.run_records import RunRecords
from cxr.reports.html.thumbnails import Thumbnails

SPLITS: Final = ("train", "val", "test")
MOST_ROWS: Final = 50
"""Classes that a table has a row for; others are counted."""

_MOST_NAMED: Final = 10
_NUM_EXAMPLES: Final = 2
_MOST_EXAMPLES: Final = 12
_SIZES: Final = ((1, 1), (2, 2), (3, 5), (6, 10), (11, 100))


def describe_data(records: RunRecords, thumbnails: Thumbnails | None) -> Section:
    """Return the section.

    Args:
        records: The run.
        thumbnails: Where examples come from; None: paths only.
    """
    return Section(name="data", title="Data", blocks=list(_list_blocks(records, thumbnails)))


def _list_blocks(records: RunRecords, thumbnails: Thumbnails | None) -> Iterator[Block]:
    lock = records.lock
    yield _count_splits(lock)
    yield _count_classes(lock)
    yield _count_group_sizes(lock)
    yield _describe_leaks(lock)
    accepted = records.config.data.accept
    yield Text(
        text="Findings that the recipe accepts: "
        + (", ".join(str(one) for one in accepted) if accepted else "none")
        + ". Every other error that cxr data verify knows was refused before training."
    )
    yield Facts(facts=[("Digest of the data", str(records.manifest["recipe"]["data_digest"]))])
    yield _show_examples(lock, thumbnails)


def _count_splits(lock: DataLock) -> Table:
    rows = []
    for split in SPLITS:
        samples = lock.of_split(split)
        size = sum(sample.bytes for sample in samples)
        patients = len({sample.group for sample in samples})
        rows.append([split, f"{len(samples):,}", f"{patients:,}", f"{size:,}"])
    return Table(
        caption="Splits", header=["Split", "Images", "Patients (groups)", "Bytes"], rows=rows
    )


def _count_classes(lock: DataLock) -> Table:
    counts = {split: lock.count_answers(split) for split in SPLITS}
    shown = lock.classes[:MOST_ROWS]
    rows = []
    for name in shown:
        cells = [f"{counts[split][name][0]:,}" for split in SPLITS]
        rows.append([name, *cells, f"{sum(counts[split][name][0] for split in SPLITS):,}"])
    more = len(lock.classes) - len(shown)
    left_out = f"; {more:,} more classes are not shown" if more else ""
    return Table(
        caption=f"Images of each class{left_out}", header=["Class", *SPLITS, "All"], rows=rows
    )


def _count_group_sizes(lock: DataLock) -> Table:
    sizes = Counter(Counter(sample.group for sample in lock.samples).values())
    rows = []
    for least, most in (*_SIZES, (_SIZES[-1][1] + 1, None)):
        found = sum(
            num for size, num in sizes.items() if size >= least and (most is None or size <= most)
        )
        if found:
            name = str(least) if least == most else f"{least} and more" if most is None else ""
            rows.append([name or f"{least} to {most}", f"{found:,}"])
    return Table(caption="Images of one patient", header=["Images", "Patients"], rows=rows)


def _describe_leaks(lock: DataLock) -> Statement:
    """Say which patients and which files stand in more than one split, as far as the lock tells."""
    patients = _list_across(lock.samples, lambda sample: sample.group)
    files = _list_across(lock.samples, lambda sample: sample.sha256)
    if not patients and not files:
        return Statement(
            tone="good",
            text="No patient and no file stands in two splits, as far as the record tells.",
            details=["Near-duplicates, and one patient under two names, it cannot tell."],
        )
    named = [
        *(f"patient {group}: {', '.join(splits)}" for group, splits in patients),
        *(f"file {digest[:23]}…: {', '.join(splits)}" for digest, splits in files),
    ]
    more = len(named) - _MOST_NAMED
    return Statement(
        tone="bad",
        text=f"In more than one split: {count(len(patients), 'patient')}, "
        f"{count(len(files), 'file')}.",
        details=[*named[:_MOST_NAMED], *([f"and {more:,} more"] if more > 0 else [])],
    )


def _list_across(
    samples: Sequence[Sample], key: Callable[[Sample], str]
) -> list[tuple[str, list[str]]]:
    splits: defaultdict[str, set[str]] = defaultdict(set)
    for sample in samples:
        splits[key(sample)].add(sample.split)
    return [(name, sorted(found)) for name, found in sorted(splits.items()) if len(found) > 1]


def _show_examples(lock: DataLock, thumbnails: Thumbnails | None) -> Block:
    """Return the first training images of each label: as pictures where the data is at hand."""
    chosen: list[Sample] = []
    seen = Counter[str]()
    for sample in sorted(lock.of_split("train"), key=lambda one: one.path):
        if seen[sample.label] < _NUM_EXAMPLES and len(chosen) < _MOST_EXAMPLES:
            chosen.append(sample)
            seen[sample.label] += 1
    if thumbnails is not None:
        pictures = [thumbnails.draw(sample, sample.label) for sample in chosen]
        return Titled(title="Examples", blocks=[Pictures(pictures=pictures)])
    return Titled(
        title="Examples",
        blocks=[
            Table(
                caption="Training images; with --data the report shows them",
                header=["Image", "Label"],
                rows=[[sample.path, sample.label] for sample in chosen],
                numeric=False,
            )
        ],
    )
