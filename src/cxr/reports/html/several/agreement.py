"""How far the runs agree on each image: changed decisions, spread of probabilities."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cxr.config.load import load_config
from cxr.records.data_lock import load_data_lock
from cxr.records.run_directory import CONFIG, DATA_LOCK
from cxr.reports.html.blocks import (
    Block,
    Cell,
    Headline,
    Headlines,
    Pictures,
    Section,
    Statement,
    Table,
    Text,
)
from cxr.reports.html.several.judgement import is_equal
from cxr.reports.html.several.members import Members
from cxr.reports.html.several.opinions import Opinions, collect_opinions
from cxr.reports.html.thumbnails import open_thumbnails
from cxr.reports.html.wording import count
from cxr.statistics.agreement import (
    coefficients_of_variation,
    fleiss_kappa,
    share_of_changing_decisions,
)

_MOST_IMAGES: Final = 20
_MOST_PICTURES: Final = 8
_MOST_COLUMNS: Final = 12
_MOST_CLASSES: Final = 20
_DARKEST: Final = 9


def describe_agreement(members: Members, *, data: Path | None = None) -> Section | None:
    """Return the section, or None where no two runs that completed differ.

    Args:
        members: The runs.
        data: Root of the first run's data set, if its images are to be shown.

    Raises:
        RecordError: Predictions cannot be read.
        CxrError: Images are not those that the first run used.
    """
    done = members.with_outcome
    if all(is_equal(run, done[0]) for run in done[1:]):
        return None
    opinions = collect_opinions(done)
    if isinstance(opinions, str):
        blocks: list[Block] = [Statement(tone="plain", text=f"Not comparable: {opinions}.")]
    else:
        blocks = list(_list_blocks(opinions))
        if data is not None:
            blocks.append(_show_worst(opinions, done[0].directory, data))
    return Section(name="agreement", title="Agreement on each image", blocks=blocks)


def _list_blocks(opinions: Opinions) -> Iterator[Block]:
    num_runs, num_images = len(opinions.runs), len(opinions.paths)
    said = f"{count(num_runs, 'run')}, {count(num_images, 'image')} that all of them predicted."
    if opinions.num_only_in_some:
        said += f" {count(opinions.num_only_in_some, 'image')} that only some have are left out."
    yield Text(text=said)
    codes = _encode(opinions)
    share, kappa = share_of_changing_decisions(codes), fleiss_kappa(codes)
    yield Headlines(
        headlines=[
            Headline(
                name="Images whose decision changes between runs",
                value="undefined" if share is None else f"{share * 100:.1f} %",
                note=f"{round((share or 0) * num_images):,} of {count(num_images, 'image')}",
            ),
            Headline(
                name="Fleiss' kappa of the decisions",
                value="undefined" if kappa is None else f"{kappa:.3f}",
                note="1 is full agreement, 0 that of chance",
            ),
        ]
    )
    spreads = [
        coefficients_of_variation(table).tolist()
        for table in opinions.probabilities[:_MOST_CLASSES]
    ]
    yield _tabulate_spread(opinions, spreads)
    worst = rank_images(opinions)[:_MOST_IMAGES]
    if worst:
        yield _tabulate_worst(opinions, worst)
    else:
        yield Statement(tone="good", text="All runs give each image the same probabilities.")


def _encode(opinions: Opinions) -> list[list[int]]:
    """Return a number for each decision. Shape (R, N)."""
    numbers: dict[str, int] = {}
    return [[numbers.setdefault(one, len(numbers)) for one in row] for row in opinions.decisions]


def rank_images(opinions: Opinions) -> list[int]:
    """Return the images on which runs do not agree, those on which they agree least first.

    First stands where the fewest runs share the commonest decision, then where the probability of a
    class spans most, then by path. An image of which all runs say the same is left out.
    """
    ranks = []
    for place, path in enumerate(opinions.paths):
        commonest = max(Counter(row[place] for row in opinions.decisions).values())
        span = max(_span(table, place) for table in opinions.probabilities)
        if span or commonest < len(opinions.runs):
            ranks.append((commonest, -span, path, place))
    return [rank[-1] for rank in sorted(ranks)]


def _span(table: Sequence[Sequence[float]], place: int) -> float:
    values = [row[place] for row in table]
    return max(values) - min(values)


def _tabulate_spread(opinions: Opinions, spreads: Sequence[Sequence[float]]) -> Table:
    rows = []
    for name, values in zip(opinions.classes, spreads, strict=False):
        known = sorted(value for value in values if not math.isnan(value))
        shown = ["undefined"] * 2
        if known:
            shown = [f"{statistics.median(known):.4f}", f"{known[-1]:.4f}"]
        rows.append([name, *shown])
    more = len(opinions.classes) - len(rows)
    caption = (
        "Coefficient of variation of each image's probability over runs: standard deviation over "
        "mean" + (f"; {more:,} further classes are not shown" if more else "")
    )
    return Table(caption=caption, header=["Class", "Median image", "Worst image"], rows=rows)


def _tabulate_worst(opinions: Opinions, worst: Sequence[int]) -> Table:
    """Return the worst-agreed images, with the probability that each run gives one class."""
    shown = min(len(opinions.runs), _MOST_COLUMNS)
    left_out = len(opinions.runs) - shown
    rows: list[list[str | Cell]] = []
    for place in worst:
        index = _choose_class(opinions, place)
        values = [row[place] for row in opinions.probabilities[index]]
        cells = [
            Cell(text=f"{value:.3f}", shade=round(value * _DARKEST)) for value in values[:shown]
        ]
        span = [f"{min(values):.3f} to {max(values):.3f}"] if left_out else []
        rows.append(
            [
                opinions.paths[place],
                opinions.labels[place],
                _tally(opinions, place),
                opinions.classes[index],
                *span,
                *cells,
            ]
        )
    caption = "Images on which the runs agree least, with the probability of one class by run"
    if left_out:
        caption += f"; {left_out:,} further runs are in their range alone"
    span = ["Range"] if left_out else []
    header = ["Image", "Label", "Decisions", "Class", *span, *opinions.runs[:shown]]
    return Table(caption=caption, header=header, rows=rows)


def _show_worst(opinions: Opinions, run: Path, data: Path) -> Pictures:
    """Return pictures of the worst-agreed images, each held against the first run's lock."""
    thumbnails = open_thumbnails(data, load_config(run / CONFIG).data)
    samples = {sample.path: sample for sample in load_data_lock(run / DATA_LOCK).samples}
    return Pictures(
        pictures=[
            thumbnails.draw(samples[opinions.paths[place]], _tally(opinions, place))
            for place in rank_images(opinions)[:_MOST_PICTURES]
        ]
    )


def _choose_class(opinions: Opinions, place: int) -> int:
    """Return the class whose probability spans most; of equals the last, as in two classes."""
    spans = [_span(table, place) for table in opinions.probabilities]
    return max(range(len(spans)), key=lambda index: (spans[index], index))


def _tally(opinions: Opinions, place: int) -> str:
    found = Counter(row[place] for row in opinions.decisions)
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name or 'none'} {num:,}" for name, num in ordered)
