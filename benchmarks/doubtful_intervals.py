"""How often bootstrap intervals hold the truth where theory says that they need not.

Two figures: the threshold that validation chooses, for which no interval is shown, and the expected
calibration error, whose interval is shown only where calibration is rejected. The truth of both is
known here: scores are normal with equal variances, so the best threshold lies half-way; and a model
whose odds are the true ones has an error of 0, one that is too sure an error that a million images
tell.

    nice uv run python benchmarks/doubtful_intervals.py
"""

from __future__ import annotations

import argparse
import math
from functools import cache

import numpy as np
from scipy.special import ndtr

from cxr.evaluation.calibration import compute_calibration, find_bin
from cxr.evaluation.outcomes import Outcome
from cxr.evaluation.ranking import choose_threshold
from cxr.statistics import bootstrap
from cxr.statistics.bootstrap import bootstrap_figures
from cxr.statistics.calibration_tests import derive_calibration_test
from cxr.statistics.cases import build_class_cases
from result import Table

DISTANCE = 1.5
TAIL = 0.025
REACH = 1.96
SIZES = (100, 400, 1600)


def choose(scores: np.ndarray, labels: np.ndarray) -> float:
    """Return the score with the largest Youden index, the highest of equal ones."""
    order = np.argsort(-scores, kind="stable")
    ranked, sides = scores[order], labels[order]
    found, alarms = np.cumsum(sides), np.cumsum(1 - sides)
    gain = found * alarms[-1] - alarms * found[-1]
    ends = np.r_[ranked[1:] != ranked[:-1], True]
    return float(ranked[np.argmax(np.where(ends, gain, -(len(scores) ** 2)))])


def require_own_rule(rng: np.random.Generator) -> None:
    """Hold `choose` against what cxr itself chooses."""
    labels, scores = rng.integers(0, 2, 60), rng.integers(0, 9, 60).astype(float)
    outcomes = [
        Outcome(is_true=bool(label), is_decided=True, score=score, probability=0.5)
        for label, score in zip(labels, scores, strict=True)
    ]
    own = choose_threshold(outcomes)
    if own is None or own.score != choose(scores, labels):
        raise AssertionError("this is not the threshold that cxr chooses")


def cover_threshold(images: int, simulations: int, replicates: int) -> list[str]:
    """Return how often the percentile and the basic interval hold the best threshold."""
    rng = np.random.default_rng(images)
    require_own_rule(rng)
    held = np.zeros(2)
    labels = np.arange(images) % 2
    for _ in range(simulations):
        scores = rng.normal(size=images) + DISTANCE * labels
        drawn = rng.integers(0, images, (replicates, images))
        chosen = [choose(scores[one], labels[one]) for one in drawn]
        low, high = np.quantile(chosen, [TAIL, 1 - TAIL])
        twice, truth = 2 * choose(scores, labels), DISTANCE / 2
        held += [low <= truth <= high, twice - high <= truth <= twice - low]
    return [str(images), *(f"{share:.1%}" for share in held / simulations)]


def predict(
    images: int, slope: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, decisions and the probability of each decision of a model.

    Args:
        images: How many.
        slope: Of its odds: 1 says the truth, more is too sure.
        rng: The generator.
    """
    odds = rng.normal(scale=2, size=images)
    labels = (rng.random(images) < 1 / (1 + np.exp(-odds))).astype(int)
    said = 1 / (1 + np.exp(-slope * odds))
    decided = (said > 0.5).astype(int)  # noqa: PLR2004 - the middle
    return labels, decided, np.maximum(said, 1 - said)


def cover_error(images: int, slope: float, simulations: int, replicates: int) -> list[str]:
    """Return how often the error has an interval, and how often that holds the truth."""
    rng = np.random.default_rng(images)
    labels, decided, sure = predict(10**6, slope, rng)
    truth = compute_calibration(sure.tolist(), (labels == decided).tolist()).error or 0.0
    truth = 0.0 if slope == 1 else truth
    given = held = 0
    for _ in range(simulations):
        labels, decided, sure = predict(images, slope, rng)
        cases = build_class_cases(
            labels,
            decided,
            np.stack([-sure, sure], axis=1),
            bins=[find_bin(one) for one in sure.tolist()],
            gaps=sure - (labels == decided),
        )
        found = bootstrap_figures(cases, np.arange(images), root=0, replicates=replicates)
        interval = found.whole["calibration_error"]
        if interval.low is not None and interval.high is not None:
            given += 1
            held += interval.low <= truth <= interval.high
    told = f"{held / given:.1%}" if given else "-"
    wrong = f"{(given - held) / simulations:.1%}"
    return [f"{slope:g}", f"{images}", f"{truth:.3f}", f"{given / simulations:.1%}", told, wrong]


def draw_calibrated(
    rng: np.random.Generator, patients: int, each: int, surest: float | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return probabilities of decisions, which were right just as often, and their patients.

    Half of what decides whether one is right is its patient's, so images of one patient resemble
    each other where ``each`` is more than 1; how sure the model is, is the patient's too.
    """
    common, own = rng.normal(size=patients).repeat(each), rng.normal(size=patients * each)
    odds = np.abs(rng.normal(scale=2, size=patients)).repeat(each)
    said = 1 / (1 + np.exp(-odds)) if surest is None else np.full(len(own), surest)
    return said, ndtr((common + own) / math.sqrt(2)) < said, np.arange(patients).repeat(each)


def reject(patients: int, each: int, surest: float | None, simulations: int) -> list[str]:
    """Return how often a calibrated model is rejected, and by two controls.

    One takes images for independent; the other has the squares of the patients' sums as variance.
    """
    rng = np.random.default_rng(patients)
    rejected = np.zeros(3)
    for _ in range(simulations):
        said, right, groups = draw_calibrated(rng, patients, each, surest)
        sums = np.bincount(groups, weights=said - right)
        rejected += [
            derive_calibration_test(said, right, groups).is_rejected,
            derive_calibration_test(said, right, range(len(said))).is_rejected,
            abs(sums.sum()) > REACH * math.sqrt((sums**2).sum()),
        ]
    name = "" if surest is None else f", all {surest}"
    return [f"{patients} x {each}{name}", *(f"{share:.1%}" for share in rejected / simulations)]


def list_rejected(simulations: int, replicates: int) -> Table:  # noqa: ARG001 - none are drawn
    """Return the table of the test of calibration, of ten times as many samples: they are cheap."""
    designs = [(100, 1, None), (60, 5, None), (20, 5, None), (100, 1, 0.99), (20, 5, 0.99)]
    rows = [reject(*design, 10 * simulations) for design in designs]
    header = ["patients x images", "rejected", "control: independent", "control: squares"]
    return Table(title="calibrated models rejected at 5 %", header=header, rows=rows)


def list_thresholds(simulations: int, replicates: int) -> Table:
    """Return the table of the threshold."""
    rows = [cover_threshold(images, simulations, replicates) for images in SIZES]
    header = ["images", "percentile", "basic"]
    return Table(title="threshold of the largest Youden index", header=header, rows=rows)


def list_errors(simulations: int, replicates: int) -> Table:
    """Return the table of the calibration error; resamples are drawn once for each size."""
    bootstrap.draw_multiplicities = cache(bootstrap.draw_multiplicities)
    rows = [
        cover_error(images, slope, simulations, replicates)
        for slope in (1.0, 1.5, 2.0)
        for images in SIZES
    ]
    header = ["slope of the odds", "images", "true error", "shown", "which holds it", "misleads"]
    return Table(title="expected calibration error", header=header, rows=rows)


PARTS = {"threshold": list_thresholds, "test": list_rejected, "error": list_errors}


def main() -> None:
    """Simulate, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--simulations", type=int, default=300)
    parser.add_argument("--replicates", type=int, default=400)
    given = parser.parse_args()
    error = math.sqrt(0.95 * 0.05 / given.simulations)
    print(f"standard error of a share of 95 %: {error:.1%}", flush=True)
    for name, make in PARTS.items():
        if given.only in {None, name}:
            print(make(given.simulations, given.replicates).format(), flush=True)


if __name__ == "__main__":
    main()
