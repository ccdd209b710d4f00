"""What probabilities are worth: how often what was called probable came true."""

from __future__ import annotations

from typing import Final

from cxr.plain_text import count
from cxr.reports.html.axes import make_axis, make_share_axis
from cxr.reports.html.blocks import Chart, Charts, Section, Table, Text
from cxr.reports.html.charts import Bars, Line, draw_chart
from cxr.reports.html.run_analysis import RunAnalysis
from cxr.reports.html.run_records import RunRecords
from cxr.reports.html.wording import show_figure, show_interval

_LABELS: Final = "the probability of each label, against whether it is true"
_CLASSES: Final = "the probability of the decision, against whether it is right"


def describe_reliability(records: RunRecords, analysis: RunAnalysis) -> Section:
    """Return the section."""
    error = analysis.figures["expected_calibration_error"]
    said = f"Expected calibration error {show_figure(error)}"
    return Section(
        name="reliability",
        title="Reliability",
        blocks=[
            Text(
                text=f"{said}{_describe_interval(analysis)}: "
                f"{_LABELS if records.asks_each_label else _CLASSES}."
            ),
            Charts(charts=[_draw_curve(analysis), _draw_counts(analysis)]),
        ],
    )


def _describe_interval(analysis: RunAnalysis) -> str:
    """Return the interval, or why there is none, as it follows the figure."""
    interval = analysis.interval("expected_calibration_error")
    if interval is None:
        return ""
    if interval["low"] is not None:
        return f", interval {show_interval(interval)}"
    return f" (no interval: {interval['reason']})" if interval["reason"] else ""


def _draw_curve(analysis: RunAnalysis) -> Chart:
    bins = [one for one in analysis.figures["reliability"] if one["count"]]
    points = [(one["mean_confidence"], one["accuracy"]) for one in bins]
    title = "What came true of what was said"
    described = "; ".join(
        f"of {count(one['count'], 'case')} with a mean probability of "
        f"{one['mean_confidence']:.2f}, {one['accuracy']:.2f} came true"
        for one in bins
    )
    svg = draw_chart(
        "chart-reliability",
        title=title,
        description=described,
        x=make_share_axis("mean probability in the bin"),
        y=make_share_axis("share that came true"),
        marks=[
            Line(points=[(0.0, 0.0), (1.0, 1.0)], style=None, label="perfectly reliable"),
            Line(points=points, label="this model", has_points=True),
        ],
    )
    rows = [
        [
            f"{one['low']:.3f} to {one['high']:.3f}",
            f"{one['count']:,}",
            show_figure(one["mean_confidence"]),
            show_figure(one["accuracy"]),
        ]
        for one in bins
    ]
    table = Table(
        caption="Bins that hold something",
        header=["Probability", "Number", "Mean probability", "Came true"],
        rows=rows,
    )
    return Chart(title=title, description=described, svg=svg, table=table)


def _draw_counts(analysis: RunAnalysis) -> Chart:
    bins = analysis.figures["reliability"]
    title = "How often each probability was said"
    filled = [one for one in bins if one["count"]]
    described = (
        f"{count(len(filled), 'bin')} of {len(bins)} hold something; the fullest "
        f"{max((one['count'] for one in bins), default=0):,}"
    )
    svg = draw_chart(
        "chart-counts",
        title=title,
        description=described,
        x=make_share_axis("probability"),
        y=make_axis("number in the bin", [0, *(one["count"] for one in bins)]),
        marks=[Bars(bars=[(one["low"], one["high"], one["count"]) for one in filled])],
    )
    return Chart(title=title, description=described, svg=svg)
