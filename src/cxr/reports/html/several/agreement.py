"""How far the runs agree on each image: changed decisions, spread of probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from cxr.config.load import load_config
from cxr.plain_text import count
from cxr.records.data_lock import load_data_lock
from cxr.records.predictions import Prediction
from cxr.records.run_directory import CONFIG, DATA_LOCK
from cxr.repeat.agreement import Agreement, CommonImages, ImageSpread, describe_agreement
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
from cxr.reports.html.several.common_images import SharedImages
from cxr.reports.html.thumbnails import open_thumbnails
from cxr.reports.seeds_text import NO_KAPPA, describe_reach

_MOST_PICTURES: Final = 8
_MOST_COLUMNS: Final = 12
_MOST_CLASSES: Final = 20
_DARKEST: Final = 9


def list_agreement(shared: SharedImages, *, data: Path | None = None) -> Section:
    """Return the section.

    Args:
        shared: What the runs say of the same images.
        data: Root of the first run's data set, if its images are to be shown.

    Raises:
        CxrError: Images are not those that the first run used.
    """
    if shared.common is None:
        problem = f"No image can be compared: {shared.problem}."
        blocks: list[Block] = [Statement(tone="plain", text=problem)]
    else:
        found = describe_agreement(shared.common)
        blocks = list(_list_blocks(shared, shared.common, found))
        if data is not None:
            blocks.append(_show_worst(found.worst, shared.runs[0].directory, data))
    return Section(name="agreement", title="Agreement on each image", blocks=blocks)


def _list_blocks(shared: SharedImages, common: CommonImages, found: Agreement) -> Iterator[Block]:
    said = (
        f"{count(len(shared.runs), 'run')}, {count(found.num_images, 'image')} that all predicted."
    )
    if found.left_out:
        said += f" {count(found.left_out, 'image')} that only some have are left out."
    if shared.num_left_out:
        said += f" {count(shared.num_left_out, 'run')} are left out: all would not fit in memory."
    yield Text(text=said)
    share, kappa = found.changing_share, found.kappa
    yield Headlines(
        headlines=[
            Headline(
                name="Images whose decision changes between runs",
                value="undefined" if share is None else f"{share * 100:.1f} %",
                note=f"{found.changing:,} of {count(found.num_images, 'image')}",
            ),
            Headline(
                name="Fleiss' kappa of the decisions",
                value="undefined" if kappa is None else f"{kappa:.3f}",
                note="1 is full agreement, 0 that of chance"
                if kappa is not None or share is None
                else NO_KAPPA,
            ),
        ]
    )
    yield _tabulate_variation(found)
    worst = [image for image in found.worst if _differs(image)]
    if worst:
        yield _tabulate_worst(shared, common, worst)
    else:
        yield Statement(tone="good", text="All runs give each image the same probabilities.")


def _differs(image: ImageSpread) -> bool:
    return len(image.decisions) > 1 or image.lowest != image.highest


def _tabulate_variation(found: Agreement) -> Table:
    columns = ("mean", "median", "largest")
    rows = [
        [name, *(_show(values[column]) for column in columns)]
        for name, values in list(found.variation.items())[:_MOST_CLASSES]
    ]
    more = len(found.variation) - len(rows)
    caption = "Coefficient of variation of an image's probability over the runs, by class"
    if more > 0:
        caption += f"; {more:,} further classes are not shown"
    header = ["Class", "Mean of images", "Median", "Largest"]
    return Table(caption=caption, header=header, rows=rows)


def _show(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _tabulate_worst(
    shared: SharedImages, common: CommonImages, worst: Sequence[ImageSpread]
) -> Table:
    """Return the worst-agreed images, with the probability that each run gives one class."""
    shown = len(shared.runs) if len(shared.runs) <= _MOST_COLUMNS else 0
    places = {row.path: place for place, row in enumerate(common.rows[0])}
    chosen = [image.choose_class() for image in worst]
    # One class for all needs no column, and leaves room for the runs.
    only = common.classes[chosen[0]] if len(set(chosen)) == 1 else None
    rows: list[list[str | Cell]] = []
    for image, index in zip(worst, chosen, strict=True):
        told = [rows[places[image.path]] for rows in common.rows[:shown]]
        reach = describe_reach(image, index)
        named = [] if only is not None else [common.classes[index]]
        texts = [image.path, image.label or "none", _tally(image.decisions), *named, reach]
        rows.append([*texts, *_shade(told, index)])
    of = "one class" if only is None else only
    columns = ["Image", "Label", "Decisions", *([] if only is not None else ["Class"])]
    labels = [run.label for run in shared.runs[:shown]]
    return Table(
        caption=f"Images on which the runs agree least, with the probability of {of}",
        header=[*columns, "Least to most", *labels],
        rows=rows,
    )


def _shade(rows: Sequence[Prediction], index: int) -> list[Cell]:
    values = [row.probabilities[index] for row in rows]
    # A probability of a foreign record may be none; its text says so, a shade cannot.
    return [
        Cell(text=f"{value:.3f}", shade=round(min(max(value, 0.0), 1.0) * _DARKEST))
        for value in values
    ]


def _tally(decisions: Mapping[str, int]) -> str:
    return ", ".join(f"{name or 'none'} {num:,}" for name, num in decisions.items())


def _show_worst(worst: Sequence[ImageSpread], run: Path, data: Path) -> Pictures:
    """Return pictures of the worst-agreed images, each held against the first run's lock."""
    thumbnails = open_thumbnails(data, load_config(run / CONFIG).data)
    samples = {sample.path: sample for sample in load_data_lock(run / DATA_LOCK).samples}
    return Pictures(
        pictures=[
            thumbnails.draw(samples[image.path], f"{image.label}: {_tally(image.decisions)}")
            for image in worst[:_MOST_PICTURES]
            if image.path in samples
        ]
    )
