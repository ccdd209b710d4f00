"""Figures that are quotients of sums over images: shares, means and the calibration error.

Each group's sums are whole numbers, so those of a resample are one exact matrix product. Shapes: B
resamples, G groups, C classes or labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cxr.statistics.cases import Cases
from cxr.statistics.fixed_point import choose_fraction_bits, round_to_fraction

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Sums of each group, side by side.

    Attributes:
        columns: Whole numbers. Shape (G, width), float64.
        places: Which columns each sum has, by name.
        fraction_bits: Bits after the binary point of each further mean, by name.
    """

    columns: NDArray[np.float64]
    places: dict[str, slice]
    fraction_bits: dict[str, int]


GAPS: Final = "gaps"

CALIBRATION_ERROR: Final = "calibration_error"
"""Name of the figure that comes of the gaps."""


def count_groups(cases: Cases, groups: NDArray[np.int64], num_groups: int) -> Counts:
    """Add up what each group has.

    Args:
        cases: The split.
        groups: Number of the group of each image. Shape (N,).
        num_groups: G.
    """
    most = num_groups * int(np.max(np.bincount(groups)))
    parts: dict[str, NDArray[Any]] = {
        "known": cases.known,
        "support": cases.known & cases.present,
        "predicted": cases.known & cases.decided,
        "found": cases.known & cases.present & cases.decided,
        "right": cases.right[:, None],
        "asked": cases.asked[:, None],
    }
    bits = {}
    for name, values in cases.sums.items():
        bits[name] = choose_fraction_bits(float(np.abs(values).max(initial=0.0)), most)
        parts[f"sum {name}"] = round_to_fraction(values, bits[name])[:, None]
    if cases.bins is not None and cases.gaps is not None:
        bits[GAPS] = choose_fraction_bits(1.0, most * cases.bins.shape[1])
        parts[GAPS] = _spread(cases.bins, round_to_fraction(cases.gaps, bits[GAPS]))
    places, start = {}, 0
    for name, part in parts.items():
        places[name] = slice(start, start + part.shape[1])
        start += part.shape[1]
    columns = np.zeros((num_groups, start))
    np.add.at(columns, groups, np.concatenate(list(parts.values()), axis=1).astype(np.float64))
    return Counts(columns=columns, places=places, fraction_bits=bits)


def count_contributors(counts: Counts) -> tuple[dict[str, int], dict[str, NDArray[np.int64]]]:
    """Return how many groups the denominator of each figure counts.

    Args:
        counts: From `count_groups`.

    Returns:
        Of the figures of the whole, and of those of each class, each of shape (C,).
    """
    found = {name: counts.columns[:, place] for name, place in counts.places.items()}
    asked = int((found["asked"] > 0).sum())
    of_class = {
        "precision": found["predicted"],
        "recall": found["support"],
        "specificity": found["known"] - found["support"],
        "f1": found["support"] + found["predicted"],
    }
    return (
        dict.fromkeys(["accuracy", CALIBRATION_ERROR, *counts.fraction_bits], asked),
        {name: (sums > 0).sum(axis=0) for name, sums in of_class.items()},
    )


def compute_counted_figures(
    counts: Counts, multiplicities: NDArray[np.int32]
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]]]:
    """Return the figures of each resample; NaN where undefined.

    A further mean is off by at most 2^-(fraction_bits + 1) of its own, and the calibration error by
    K times as much, where an image has K probabilities.

    Args:
        counts: From `count_groups`.
        multiplicities: How often each group was taken. Shape (B, G).

    Returns:
        Figures of the whole, each of shape (B,), and of each class, each of shape (B, C).
    """
    totals = multiplicities.astype(np.float64) @ counts.columns
    found = {name: totals[:, place] for name, place in counts.places.items()}
    asked = found["asked"][:, 0]
    absent = found["known"] - found["support"]
    with np.errstate(invalid="ignore"):
        whole = {"accuracy": found["right"][:, 0] / asked}
        for name, bits in counts.fraction_bits.items():
            if name == GAPS:
                distance = np.abs(found[GAPS]).sum(axis=1)
                whole[CALIBRATION_ERROR] = np.ldexp(distance / asked, -bits)
            else:
                whole[name] = np.ldexp(found[f"sum {name}"][:, 0] / asked, -bits)
        per_class = {
            "precision": found["found"] / found["predicted"],
            "recall": found["found"] / found["support"],
            "specificity": (absent - found["predicted"] + found["found"]) / absent,
            "f1": 2 * found["found"] / (found["support"] + found["predicted"]),
        }
    return whole, per_class


def _spread(bins: NDArray[np.int64], gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the gaps of each image, each in the column of its bin. Shape (N, bins)."""
    spread = np.zeros((len(bins), int(np.max(bins, initial=0)) + 1))
    rows, columns = np.nonzero(bins >= 0)
    np.add.at(spread, (rows, bins[rows, columns]), gaps[rows, columns])
    return spread
