"""How a run learnt: loss, the monitored figure and the learning rate, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from cxr.config.schema import RunConfig
from cxr.reports.html.axes import Axis, make_axis, make_count_axis, make_share_axis
from cxr.reports.html.blocks import Block, Chart, Charts, Section, Table, Text
from cxr.reports.html.charts import Line, Rule, draw_chart
from cxr.reports.html.run_records import RunRecords
from cxr.reports.html.wording import FIGURE_TITLES, show_figure
from cxr.training.schedule import derive_learning_rate

_SHOWN: Final = ("auroc", "balanced_accuracy", "accuracy")
_MOST_POINTS: Final = 40


def describe_learning(records: RunRecords) -> Section:
    """Return the section."""
    return Section(name="learning", title="Learning", blocks=list(_list_blocks(records)))


def _list_blocks(records: RunRecords) -> Iterator[Block]:
    if not records.epochs:
        yield Text(text="The run ended before its first epoch did.")
        return
    chosen = records.course.weights_epoch
    if chosen is not None:
        monitor = records.config.train.monitor
        rule = f"the best {monitor.replace('_', ' ')} of validation"
        kept = records.config.train.keep_weights
        yield Text(
            text=f"The weights are those after epoch {chosen + 1} of {len(records.epochs)}, "
            f"{'the last one' if kept == 'last' else f'which has {rule}'}."
        )
    charts = [_draw_loss(records)]
    if any(epoch.validation for epoch in records.epochs):
        charts.append(_draw_figures(records))
    rate = _draw_rate(records)
    yield Charts(charts=charts if rate is None else [*charts, rate])


def _epochs_axis(records: RunRecords) -> Axis:
    numbers = [epoch.number + 1 for epoch in records.epochs]
    return make_count_axis("epoch", min(numbers), max(numbers))


def _list_rules(records: RunRecords) -> list[Rule]:
    chosen = records.course.weights_epoch
    if chosen is None or all(epoch.number != chosen for epoch in records.epochs):
        return []
    return [Rule(x=chosen + 1, label="chosen")]


def _draw_loss(records: RunRecords) -> Chart:
    training = [(epoch.number + 1.0, epoch.train_loss) for epoch in records.epochs]
    validation = _list_points(records, "loss")
    few = len(training) <= _MOST_POINTS
    lines = [Line(points=training, label="training", style=0, has_points=few)]
    if validation:
        lines.append(Line(points=validation, label="validation", style=1, has_points=few))
    title = "Loss by epoch"
    last = f"training from {training[0][1]:.4f} to {training[-1][1]:.4f}"
    if validation:
        last += f", validation from {validation[0][1]:.4f} to {validation[-1][1]:.4f}"
    values = [value for line in lines for _, value in line.points]
    svg = draw_chart(
        "chart-loss",
        title=title,
        description=last,
        x=_epochs_axis(records),
        y=make_axis("mean loss (nats)", [0.0, *values]),
        marks=[*lines, *_list_rules(records)],
        labels="end",
    )
    rows = [
        [
            str(epoch.number + 1),
            show_figure(epoch.train_loss),
            *(show_figure(epoch.validation.get(name)) for name in ("loss", *_SHOWN)),
        ]
        for epoch in records.epochs
    ]
    header = ["Epoch", "Training loss", "Validation loss", *(FIGURE_TITLES[one] for one in _SHOWN)]
    table = Table(caption="Epochs, figures of validation", header=header, rows=rows)
    return Chart(title=title, description=last, svg=svg, table=table)


def _draw_figures(records: RunRecords) -> Chart:
    few = len(records.epochs) <= _MOST_POINTS
    lines = [
        Line(points=points, label=FIGURE_TITLES[name], style=style, has_points=few)
        for style, name in enumerate(_SHOWN)
        if (points := _list_points(records, name))
    ]
    title = "Figures of validation by epoch"
    said = ", ".join(
        f"{line.label} from {line.points[0][1]:.4f} to {line.points[-1][1]:.4f}" for line in lines
    )
    svg = draw_chart(
        "chart-figures",
        title=title,
        description=said,
        x=_epochs_axis(records),
        y=make_share_axis("share"),
        marks=[*lines, *_list_rules(records)],
    )
    return Chart(title=title, description=said, svg=svg)


def _list_points(records: RunRecords, name: str) -> list[tuple[float, float]]:
    found = ((epoch.number + 1.0, epoch.validation.get(name)) for epoch in records.epochs)
    return [(number, value) for number, value in found if value is not None]


def _draw_rate(records: RunRecords) -> Chart | None:
    """Return the learning rate as the recipe derives it; None where the steps are not known."""
    rates = _derive_rates(records)
    if not rates:
        return None
    title = "Learning rate by epoch"
    said = f"{records.config.train.schedule}: from {rates[0][1]:.3g} to {rates[-1][1]:.3g}"
    svg = draw_chart(
        "chart-rate",
        title=title,
        description=said,
        x=_epochs_axis(records),
        y=make_axis("learning rate", [0.0, *(rate for _, rate in rates)]),
        marks=[Line(points=rates), *_list_rules(records)],
    )
    return Chart(title=title, description=said, svg=svg)


def _derive_rates(records: RunRecords) -> list[tuple[float, float]]:
    """Return the learning rate of the first step of each epoch, and of the last step of all."""
    config: RunConfig = records.config
    num_images = len(records.lock.of_split("train"))
    steps_per_epoch = num_images // config.train.batch_size
    if not steps_per_epoch:
        return []
    steps = [epoch.number * steps_per_epoch for epoch in records.epochs]
    steps.append((records.epochs[-1].number + 1) * steps_per_epoch - 1)
    return [
        (
            step / steps_per_epoch + 0.5,
            derive_learning_rate(
                config.train, step, steps_per_epoch=steps_per_epoch, level=records.level
            ),
        )
        for step in steps
    ]
