"""Intervals of all figures by the bootstrap against ``scipy.stats.bootstrap`` of one of them.

SciPy draws images, not patients, and calls scikit-learn's AUROC for each resample, which is what
one would write otherwise. It is timed on a part of the resamples, and its time scaled up. What
counts is the processor's time, because other programs share the machine.

    uv run python benchmarks/bootstrap_speed.py
    uv run python benchmarks/bootstrap_speed.py --images 624 50000
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from sklearn.metrics import roc_auc_score

from cxr.statistics.bootstrap import bootstrap_figures
from cxr.statistics.cases import Cases, build_class_cases
from cxr.statistics.intervals import REPLICATES
from result import Result, Table

SCIPY_REPLICATES = 20


def draw_cases(num_images: int) -> tuple[Cases, Any, Any]:
    """Return cases of two classes with labels and scores, one image a patient."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, num_images)
    scores = rng.normal(size=num_images) + 1.5 * labels
    shares = 1 / (1 + np.exp(-scores))
    cases = build_class_cases(
        labels,
        (scores > 0).astype(int),
        np.stack([-scores, scores], axis=1),
        sums={"brier": (shares - labels) ** 2},
        bins=(shares * 15).astype(int),
        gaps=shares - labels,
    )
    return cases, labels, scores


def time_best(call: Callable[[], object], rounds: int) -> float:
    """Return the least processor time of a call, in seconds."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return min(times)


def compare(num_images: int, rounds: int) -> tuple[float, float, float]:
    """Return the seconds of both, and by how many MiB the first made the process grow."""
    cases, labels, scores = draw_cases(num_images)
    bootstrap_figures(cases, range(num_images), root=0, replicates=100)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ours = time_best(lambda: bootstrap_figures(cases, range(num_images), root=0), rounds)
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    other = time_best(
        lambda: stats.bootstrap(
            (labels, scores),
            roc_auc_score,
            paired=True,
            vectorized=False,
            n_resamples=SCIPY_REPLICATES,
            method="percentile",
            rng=np.random.default_rng(0),
        ),
        rounds,
    )
    return ours, other * REPLICATES / SCIPY_REPLICATES, grown_mib


def main() -> None:
    """Time both for each number of images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="*", default=[624, 50_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    settings = {"images": chosen.images, "rounds": chosen.rounds, "replicates": REPLICATES}
    result = Result(benchmark="bootstrap_speed", settings=settings)
    rows = []
    for num_images in chosen.images:
        ours, other, grown_mib = compare(num_images, chosen.rounds)
        times = (f"{ours:.2f} s", f"{grown_mib:.0f} MiB", f"{other:.1f} s")
        rows.append((f"{num_images}", *times, f"{other / ours:.1f}"))
        result.figures[f"{num_images}"] = {"cxr_s": ours, "scipy_s": other, "grown_mib": grown_mib}
    header = ("images", "cxr, all figures", "memory on top", "SciPy, AUROC alone", "ratio")
    result.tables.append(Table(title="2000 resamples", header=header, rows=rows))
    result.show(chosen.json)


if __name__ == "__main__":
    main()
