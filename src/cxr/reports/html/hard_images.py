"""The images that a model was most wrong about, and those that it was least certain of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cxr.label_text import parse_labels
from cxr.plain_text import count
from cxr.records.predictions import Prediction
from cxr.reports.html.blocks import Block, Pictures, Section, Table, Text, Titled
from cxr.reports.html.run_records import RunRecords
from cxr.reports.html.thumbnails import Thumbnails

_MOST: Final = 10
_MOST_PICTURES: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One image, and how a model did on it.

    Attributes:
        path: Of the image.
        label: What is true.
        decision: What was decided.
        asked: The label that it did worst on, where each is decided by itself; else empty.
        truth: The least probability that it gave to what is true.
        margin: How far its closest decision was from another one.
        is_wrong: Whether it, or a label of it that is known, was decided wrongly.
    """

    path: str
    label: str
    decision: str
    asked: str
    truth: float
    margin: float
    is_wrong: bool


def describe_hard_images(records: RunRecords, thumbnails: Thumbnails | None) -> Section:
    """Return the section.

    Args:
        records: A completed run.
        thumbnails: Where pictures come from; None: tables alone.
    """
    judged = judge_images(records.lock.classes, records.predictions)
    blocks = list(_list_blocks(judged, records, thumbnails))
    return Section(name="images", title="Hard images", blocks=blocks)


def judge_images(classes: Sequence[str], predictions: Sequence[Prediction]) -> list[Judgement]:
    """Return a judgement for each image of which something is known."""
    judged = []
    for row in predictions:
        if row.asks_each_label:
            found = _judge_labels(classes, row)
            if found is not None:
                judged.append(found)
            continue
        ranked = sorted(row.probabilities, reverse=True)
        judged.append(
            Judgement(
                path=row.path,
                label=row.label,
                decision=row.decision,
                asked="",
                truth=row.probabilities[classes.index(row.label)],
                margin=ranked[0] - ranked[1] if len(ranked) > 1 else 1.0,
                is_wrong=row.label != row.decision,
            )
        )
    return judged


def _judge_labels(classes: Sequence[str], row: Prediction) -> Judgement | None:
    answers = parse_labels(classes, row.label)
    truths = [
        (share if answer else 1 - share, name)
        for name, answer, share in zip(classes, answers, row.probabilities, strict=True)
        if answer is not None
    ]
    if not truths:
        return None
    worst, name = min(truths)
    return Judgement(
        path=row.path,
        label=row.label,
        decision=row.decision,
        asked=name,
        truth=worst,
        margin=min(abs(2 * truth - 1) for truth, _ in truths),
        is_wrong=any(
            answer is not None and answer != decided
            for answer, decided in zip(answers, parse_labels(classes, row.decision), strict=True)
        ),
    )


def _list_blocks(
    judged: Sequence[Judgement], records: RunRecords, thumbnails: Thumbnails | None
) -> Iterator[Block]:
    wrong = [one for one in judged if one.is_wrong]
    by_truth = sorted(wrong, key=lambda one: (one.truth, one.path))[:_MOST]
    by_margin = sorted(judged, key=lambda one: (one.margin, one.path))[:_MOST]
    told = f"{count(len(wrong), 'image')} of {len(judged):,} decided wrongly."
    yield Titled(
        title="Most wrong",
        blocks=[
            Text(text=told),
            *_show(by_truth, "Least probability of the truth", records, thumbnails),
        ]
        if wrong
        else [Text(text="No image was decided wrongly.")],
    )
    yield Titled(
        title="Most uncertain",
        blocks=_show(by_margin, "Smallest margin between two decisions", records, thumbnails),
    )


def _show(
    chosen: Sequence[Judgement], caption: str, records: RunRecords, thumbnails: Thumbnails | None
) -> list[Block]:
    header = ["Image", "Truth", "Decision", "Probability of the truth", "Margin"]
    rows = [
        [one.path, one.label, one.decision, _show_truth(one), f"{one.margin:.4f}"] for one in chosen
    ]
    table = Table(caption=caption, header=header, rows=rows, numeric=False)
    if thumbnails is None:
        return [table]
    samples = {sample.path: sample for sample in records.lock.samples}
    pictures = [
        thumbnails.draw(
            samples[one.path], f"{one.label}, decided {one.decision}; {_show_truth(one)}"
        )
        for one in chosen[:_MOST_PICTURES]
    ]
    return [Pictures(pictures=pictures), table]


def _show_truth(one: Judgement) -> str:
    return f"{one.truth:.4f}" + (f" ({one.asked})" if one.asked else "")
