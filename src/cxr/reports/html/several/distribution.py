"""Runs over seeds: the spread of each figure, its mean, and how surely that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from cxr.determinism.streams import MAX_SEED
from cxr.plain_text import count
from cxr.records.figures import ALL_SCALARS
from cxr.records.manifest import load_sealed_run
from cxr.reports.html.axes import Axis, make_axis
from cxr.reports.html.blocks import Block, Chart, Charts, Section, Table, Text
from cxr.reports.html.charts import Line, Mark, draw_chart
from cxr.reports.html.several.common_images import SharedImages
from cxr.reports.html.several.ensemble import tabulate_ensemble
from cxr.reports.html.several.judgement import Judgement
from cxr.reports.html.several.members import Member, Members
from cxr.reports.html.wording import FIGURE_TITLES, show_figure
from cxr.statistics.seeds import SeedSpread, describe_seeds

_STREAMS: Final = {
    "seed": "the seed moves every stream: initial weights, order of images, augmentation, dropout",
    "data.split_seed": "which images are trained on",
    "streams.init": "the initial weights alone",
    "streams.order": "the order of images alone",
    "streams.augment": "augmentation alone",
    "streams.step": "dropout and drop path alone",
}
_PER_CLASS: Final = ("auroc", "average_precision", "recall", "specificity")
_UNBOUNDED: Final = "loss"
"""The one figure that can be far above 1."""

_MOST_CLASSES: Final = 20
_MOST_TICKS: Final = 12
_LEAST: Final = 2


def describe_distribution(
    members: Members, judgement: Judgement, shared: SharedImages | None, *, replicates: int
) -> Section | None:
    """Return the section, or None where the runs are no sample of one recipe's training.

    Args:
        members: The runs.
        judgement: What they amount to.
        shared: What they say of the same images; None where nothing differs.
        replicates: Resamples for the bootstrap over seeds; 0: none are drawn.
    """
    done = members.with_outcome
    if len(done) < _LEAST or not judgement.moved or judgement.others:
        return None
    if len({run.split for run in done}) > 1:
        return None
    names = [name for name in ALL_SCALARS if all(name in run.figures for run in done)]
    root = _find_root(members, done[0])
    spreads = {
        name: describe_seeds([run.figures[name] for run in done], root=root, replicates=replicates)
        for name in names
    }
    moved = "; ".join(f"{name}: {_STREAMS.get(name, name)}" for name in judgement.moved)
    blocks: list[Block] = [
        Text(text=f"{count(len(done), 'run')} that differ in what is drawn alone. {moved}."),
        _tabulate(spreads),
        Charts(charts=[_draw(done, judgement, name, spreads[name]) for name in names]),
    ]
    per_class = _tabulate_classes(done)
    if per_class is not None:
        blocks.append(per_class)
    if shared is not None and shared.common is not None:
        blocks.append(tabulate_ensemble(shared.common, shared.runs))
    return Section(name="distribution", title="Distribution", blocks=blocks)


def _find_root(members: Members, first: Member) -> int:
    """Return the root of the bootstrap's stream: the repeat's, or else the first run's seed."""
    series = members.answer.get("series")
    root = series.get("root") if isinstance(series, dict) else None
    return root if type(root) is int and 0 <= root <= MAX_SEED else first.inputs["seed"]


def _tabulate(spreads: Mapping[str, SeedSpread]) -> Table:
    rows = [
        [
            FIGURE_TITLES[name],
            f"{one.num:,}",
            show_figure(one.mean),
            show_figure(one.std),
            _show_range(one.student.low, one.student.high),
            _show_range(one.bootstrap.low, one.bootstrap.high),
            _show_range(one.least, one.most),
        ]
        for name, one in spreads.items()
    ]
    header = [
        "Figure", "Runs", "Mean", "Std. deviation", "95 % t of the mean", "95 % bootstrap", "Range"
    ]  # fmt: skip
    caption = "Each figure over the runs, with two intervals of its mean"
    return Table(caption=caption, header=header, rows=rows)


def _show_range(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{low:.4f} to {high:.4f}"


def _draw(done: Sequence[Member], judgement: Judgement, name: str, spread: SeedSpread) -> Chart:
    """Return a point a run, with the mean and the interval of it."""
    moved = judgement.moved[0]
    points = [
        (place, value) for place, run in enumerate(done) if (value := run.figures[name]) is not None
    ]
    ends = (-0.5, len(done) - 0.5)
    marks: list[Mark] = [Line(points=[point], style=0, has_points=True) for point in points]
    shown = [value for _, value in points]
    if spread.mean is not None:
        marks.append(Line(points=[(end, spread.mean) for end in ends], style=1, label="mean"))
    if spread.student.low is not None and spread.student.high is not None:
        for value, label in ((spread.student.low, "95 % t"), (spread.student.high, "")):
            marks.append(Line(points=[(end, value) for end in ends], style=None, label=label))
            shown.append(value)
    title = f"{FIGURE_TITLES[name]} by {moved}"
    description = (
        f"A point a run; mean {show_figure(spread.mean)}, standard deviation "
        f"{show_figure(spread.std)}, from {_show_range(spread.least, spread.most)}."
    )
    return Chart(
        title=title,
        description=description,
        svg=draw_chart(
            f"spread-{name.replace('_', '-')}",
            title=title,
            description=description,
            x=_make_run_axis(done, moved),
            y=make_axis(FIGURE_TITLES[name], shown, is_share=name != _UNBOUNDED),
            marks=marks,
            labels="end",
        ),
    )


def _make_run_axis(done: Sequence[Member], moved: str) -> Axis:
    """Return an axis with a place for each run, named by what was moved where there is room."""
    step = -(-len(done) // _MOST_TICKS)
    ticks = [
        (float(place), str(run.fields.get(moved, run.label))[:8])
        for place, run in enumerate(done)
        if place % step == 0
    ]
    return Axis(label=moved, low=-0.5, high=len(done) - 0.5, ticks=ticks)


def _tabulate_classes(done: Sequence[Member]) -> Table | None:
    """Return mean and standard deviation of each class's figures; None where none are recorded."""
    found = [load_sealed_run(run.directory)["metrics"].get("per_class") for run in done]
    tables = [one for one in found if isinstance(one, dict)]
    if len(tables) < len(done):
        return None
    rows = []
    classes = list(tables[0])
    for label in classes[:_MOST_CLASSES]:
        cells = []
        for name in _PER_CLASS:
            values = [_read(table, label, name) for table in tables]
            spread = describe_seeds(values, root=0, replicates=0)
            cells.append(_show_spread(spread))
        rows.append([label, *cells])
    more = len(classes) - len(rows)
    caption = "Figures of each class: mean ± standard deviation over the runs"
    if more > 0:
        caption += f"; {more:,} further classes are not shown"
    header = ["Class", *(FIGURE_TITLES[name] for name in _PER_CLASS)]
    return Table(caption=caption, header=header, rows=rows)


def _read(table: Mapping[str, Any], label: str, name: str) -> float | None:
    figures = table.get(label)
    value = figures.get(name) if isinstance(figures, dict) else None
    return value if isinstance(value, float) else None


def _show_spread(spread: SeedSpread) -> str:
    if spread.mean is None:
        return "undefined"
    return f"{spread.mean:.4f}" + ("" if spread.std is None else f" ± {spread.std:.4f}")
