"""The words of a distribution over seeds, which a terminal and a page share."""

from __future__ import annotations

from typing import Final

from cxr.records.figures import ALL_SCALARS, LOWER_IS_BETTER
from cxr.repeat.agreement import SHOWN_DIGITS, Agreement, ImageSpread
from cxr.repeat.seeds import SeedsReport
from cxr.statistics.intervals import Interval
from cxr.statistics.seeds import SeedSpread

CLASS_COLUMNS: Final = ("recall", "specificity", "f1", "auroc")
"""Figures of a class that a table has room for; the record has all."""

_UNDEFINED: Final = "undefined"

NO_KAPPA: Final = "undefined: all decisions are one class"
"""What is told of a kappa where runs could agree on nothing else."""

_NUM_IMAGES: Final = 5

Rows = tuple[list[str], list[list[str]]]


def describe_moved(report: SeedsReport) -> str:
    """Return which streams were moved, and over which seeds."""
    seeds = ", ".join(map(str, report.seeds))
    if report.only is None:
        return f"every stream but the split moved, seeds {seeds}"
    return f"only the stream {report.only} moved, seeds {seeds}; all others held"


def list_spread_rows(report: SeedsReport) -> Rows:
    """Return the header and the rows of the figures' spread."""
    rows = [
        [name, _number(one.mean), _number(one.std), _range(one.student), _range(one.bootstrap)]
        for name, one in report.figures.items()
    ]
    return ["metric", "mean", "std", "95 %: t", "bootstrap"], rows


def list_class_rows(report: SeedsReport) -> Rows:
    """Return the header and the rows of the classes' spread."""
    rows = [
        [name, *(_mean_and_std(figures[figure]) for figure in CLASS_COLUMNS)]
        for name, figures in report.per_class.items()
    ]
    return ["class", *CLASS_COLUMNS], rows


def describe_agreement(agreement: Agreement) -> list[str]:
    """Return how far the runs agree about images, a line each."""
    if agreement.changing_share is None:
        return ["too few runs or images to say how far they agree"]
    share = (
        f"{agreement.changing} of {agreement.num_images} images ({agreement.changing_share:.1%})"
    )
    lines = [f"{share} are decided otherwise under another seed"]
    kappa = NO_KAPPA if agreement.kappa is None else f"{agreement.kappa:.3f}"
    lines.append(f"Fleiss' kappa of the decisions {kappa}")
    if agreement.left_out:
        lines.append(f"{agreement.left_out} images are left out: not every run predicted them")
    return lines


def list_variation_rows(agreement: Agreement) -> Rows:
    """Return the header and the rows of the coefficient of variation of each class."""
    columns = ("mean", "median", "largest")
    rows = [
        [name, *(_number(found[column]) for column in columns)]
        for name, found in agreement.variation.items()
    ]
    return ["class", *columns], rows


def list_image_rows(agreement: Agreement, *, most: int = _NUM_IMAGES) -> Rows:
    """Return the header and the rows of the images that the runs agree least about.

    The probability is that of the class for which it spans most, which is named.
    """
    classes = list(agreement.variation)
    rows = [
        [
            one.path,
            one.label,
            ", ".join(f"{num} x {name}" for name, num in one.decisions.items()),
            f"{classes[one.choose_class()]} {describe_reach(one, one.choose_class())}",
        ]
        for one in agreement.worst[:most]
    ]
    return ["image", "label", "decided", "probability"], rows


def list_ensemble_rows(report: SeedsReport) -> Rows:
    """Return the header and the rows of the ensemble against the single runs."""
    ensemble, agreement = report.ensemble, report.agreement
    rows = []
    for name in ALL_SCALARS:
        spread = report.figures[name]
        best = spread.least if name in LOWER_IS_BETTER else spread.most
        better = ensemble.better_runs.get(name)
        told = "-" if better is None else f"{better} of {ensemble.num_runs}"
        value = ensemble.figures[name]
        # Where images are left out the runs' own figures are of others, and not beside it.
        singles = ["-", "-"] if agreement.left_out else [_number(spread.mean), _number(best)]
        rows.append([name, _number(value), *singles, told])
    return ["metric", "ensemble", "mean", "best run", "runs better"], rows


def describe_reach(image: ImageSpread, index: int) -> str:
    """Return the least and the greatest probability of a class."""
    return f"{image.lowest[index]:.{SHOWN_DIGITS}f} to {image.highest[index]:.{SHOWN_DIGITS}f}"


def _mean_and_std(spread: SeedSpread) -> str:
    if spread.mean is None:
        return _UNDEFINED
    return (
        f"{spread.mean:.3f} ± {spread.std:.3f}" if spread.std is not None else _number(spread.mean)
    )


def _range(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return _UNDEFINED
    return f"{interval.low:.3f} {interval.high:.3f}"


def _number(value: float | None) -> str:
    return _UNDEFINED if value is None else f"{value:.4g}"
