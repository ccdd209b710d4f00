"""How well classes are told apart: figures with intervals, curves, thresholds, confusion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from cxr.evaluation.outcomes import Outcome
from cxr.evaluation.ranking import CurvePoint, derive_curve
from cxr.plain_text import count
from cxr.records.figures import ALL_SCALARS
from cxr.reports.evaluation_text import describe_intervals, list_reasons
from cxr.reports.html.axes import make_share_axis
from cxr.reports.html.blocks import Block, Chart, Charts, Section, Table, Text
from cxr.reports.html.charts import NUM_STYLES, Line, draw_chart
from cxr.reports.html.data_card import MOST_ROWS
from cxr.reports.html.run_analysis import RunAnalysis, list_class_outcomes
from cxr.reports.html.run_records import RunRecords
from cxr.reports.html.wording import FIGURE_TITLES, show_figure, show_interval

_PER_CLASS: Final = ("recall", "specificity", "precision", "f1", "auroc", "average_precision")
_MOST_POINTS: Final = 400
_TWO: Final = 2


def describe_discrimination(records: RunRecords, analysis: RunAnalysis) -> Section:
    """Return the section."""
    return Section(name="figures", title="Figures", blocks=list(_list_blocks(records, analysis)))


def _list_blocks(records: RunRecords, analysis: RunAnalysis) -> Iterator[Block]:
    yield _list_scalars(records, analysis)
    for line in (*describe_intervals(analysis.intervals), *list_reasons(analysis.figures)):
        yield Text(text=f"{line[0].upper()}{line[1:]}.")
    yield _list_classes(records, analysis)
    yield from _draw_curves(records, analysis)
    yield _list_thresholds(analysis)


def _list_scalars(records: RunRecords, analysis: RunAnalysis) -> Table:
    rows = [
        [FIGURE_TITLES[name], show_figure(analysis.figures[name]), *_interval(analysis, name)]
        for name in ALL_SCALARS
    ]
    return Table(
        caption=f"The {records.split} split, {count(len(records.predictions), 'image')} of "
        f"{count(analysis.num_patients, 'patient')}",
        header=["Figure", "Value", *_name_interval(analysis)],
        rows=rows,
    )


def _interval(analysis: RunAnalysis, name: str) -> list[str]:
    return [show_interval(analysis.interval(name))] if analysis.intervals else []


def _name_interval(analysis: RunAnalysis, of: str = "") -> list[str]:
    if not analysis.intervals:
        return []
    return [f"{of}{analysis.intervals['level'] * 100:.0f} % interval"]


def _list_classes(records: RunRecords, analysis: RunAnalysis) -> Table:
    names = _choose_rows(records)
    per_class = analysis.figures["per_class"]
    rows = []
    for name in names:
        found = per_class[name]
        cells = [f"{found['support']:,}", *(show_figure(found[one]) for one in _PER_CLASS)]
        if analysis.intervals:
            cells.append(show_interval(analysis.class_interval(name, "auroc")))
        rows.append([name, *cells])
    header = ["Class", "Images", *(FIGURE_TITLES[one] for one in _PER_CLASS)]
    more = len(records.lock.classes) - len(names)
    return Table(
        caption="Each class against all others" + (f"; {more:,} more not shown" if more else ""),
        header=[*header, *_name_interval(analysis, "AUROC, ")],
        rows=rows,
    )


def _choose_rows(records: RunRecords) -> Sequence[str]:
    return records.lock.classes[:MOST_ROWS]


def _draw_curves(records: RunRecords, analysis: RunAnalysis) -> Iterator[Block]:
    """Draw the curves of as many classes as can be told apart, those with most images."""
    per_class = analysis.figures["per_class"]
    both = [name for name in records.lock.classes if per_class[name]["auroc"] is not None]
    if not both:
        return
    by_size = sorted(both, key=lambda name: -per_class[name]["support"])[:NUM_STYLES]
    shown = [name for name in both if name in by_size]
    if len(shown) < len(both):
        yield Text(text=f"Curves of the {len(shown)} largest of {len(both):,} classes.")
    outcomes = list_class_outcomes(records, shown)
    curves = {name: derive_curve(outcomes[name]) for name in shown}
    # Of two classes that exclude each other, either curve is the other one turned around.
    exclusive = len(records.lock.classes) == _TWO and not records.asks_each_label
    ranked = shown[-1:] if exclusive else shown
    yield Charts(
        charts=[
            _draw_roc({name: curves[name] for name in ranked}, per_class),
            _draw_precision(curves, outcomes, per_class),
        ]
    )


def _draw_roc(
    curves: Mapping[str, Sequence[CurvePoint]], per_class: Mapping[str, Mapping[str, Any]]
) -> Chart:
    lines = [Line(points=[(0.0, 0.0), (1.0, 1.0)], style=None)]
    for style, (name, points) in enumerate(curves.items()):
        positives, negatives = points[-1].true_positives, points[-1].false_positives
        places = [
            (point.false_positives / negatives, point.true_positives / positives)
            for point in points
        ]
        label = f"{name} {per_class[name]['auroc']:.3f}"
        lines.append(Line(points=_thin([(0.0, 0.0), *places]), label=label, style=style))
    title = "ROC curve, with the AUROC"
    said = "; ".join(f"{name}: AUROC {per_class[name]['auroc']:.4f}" for name in curves)
    svg = draw_chart(
        "chart-roc",
        title=title,
        description=said,
        x=make_share_axis("1 - specificity"),
        y=make_share_axis("sensitivity"),
        marks=lines,
    )
    return Chart(title=title, description=said, svg=svg)


def _draw_precision(
    curves: Mapping[str, Sequence[CurvePoint]],
    outcomes: Mapping[str, Sequence[Outcome]],
    per_class: Mapping[str, Mapping[str, Any]],
) -> Chart:
    lines = []
    for style, (name, points) in enumerate(curves.items()):
        positives = points[-1].true_positives
        places: list[tuple[float, float]] = []
        for point in points:
            precision = point.true_positives / (point.true_positives + point.false_positives)
            recall = point.true_positives / positives
            before = places[-1][0] if places else 0.0
            # The steps whose area is the average precision: one where more images are found.
            if recall > before:
                places += [(before, precision), (recall, precision)]
        value = per_class[name]["average_precision"]
        lines.append(Line(points=_thin(places), label=f"{name} {value:.3f}", style=style))
    title = "Precision and sensitivity, with the average precision"
    said = "; ".join(
        f"{name}: average precision {per_class[name]['average_precision']:.4f}, share of images "
        f"{sum(one.is_true for one in outcomes[name]) / len(outcomes[name]):.4f}"
        for name in curves
    )
    svg = draw_chart(
        "chart-precision",
        title=title,
        description=said,
        x=make_share_axis("sensitivity"),
        y=make_share_axis("precision"),
        marks=lines,
    )
    return Chart(title=title, description=said, svg=svg)


def _thin(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    """Return at most some hundred points, the first and the last among them."""
    step = -(-len(points) // _MOST_POINTS)
    return [*points[:-1:step], points[-1]]


def _list_thresholds(analysis: RunAnalysis) -> Block:
    thresholds = analysis.thresholds
    if thresholds["chosen_on"] is None:
        return Text(text=f"No thresholds: {thresholds['reason']}.")
    rows = []
    for name, one in list(thresholds["per_class"].items())[:MOST_ROWS]:
        if one is None:
            rows.append([name, "undefined", "", "", "", ""])
            continue
        chosen = one["validation"]
        values = (
            one["probability"],
            one["sensitivity"],
            one["specificity"],
            chosen["sensitivity"],
            chosen["specificity"],
        )
        rows.append([name, *map(show_figure, values)])
    return Table(
        caption=f"Thresholds chosen on validation ({thresholds['rule']}), and what they do here",
        header=[
            "Class",
            "Probability",
            "Sensitivity",
            "Specificity",
            "Sensitivity, validation",
            "Specificity, validation",
        ],
        rows=rows,
    )
