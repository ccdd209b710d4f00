"""Whether models learn as well at ``portable`` as at ``strict``: figures of runs over seeds.

It reads runs that were trained before, one a seed at either level of one recipe, and compares the
means of their figures on the test split with the spread between seeds: whether the difference is at
most one standard deviation, and the probability of one as large by chance alone (Welch's t test).

    for seed in 0 1 2 3 4; do for level in strict portable; do
      cxr train -q --config configs/kermany_resnet18_64.yaml --set data.root=DIR \
        --set seed=$seed --set determinism=$level --out runs/learning/$level-$seed
    done; done
    uv run python benchmarks/portable_learning.py runs/learning/*
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Final

from scipy.stats import ttest_ind

from cxr.records.manifest import load_sealed_run
from result import Table

_FIGURES: Final = ("accuracy", "balanced_accuracy", "auroc", "loss")
_VALIDATION: Final = "validation"
"""What the weights were chosen by, `train.monitor`, on the validation split."""

_LEVELS: Final = ("strict", "portable")
_LEAST: Final = 2
"""Runs that a spread takes."""


def main() -> None:
    """Read the runs and print a table for each recipe's name."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    found: dict[str, dict[str, dict[int, dict[str, float]]]] = defaultdict(
        lambda: {level: {} for level in _LEVELS}
    )
    for run in parser.parse_args().runs:
        manifest = load_sealed_run(run, completed=True)
        recipe = manifest["recipe"]
        name = manifest["config"]["rest"]["name"]
        chosen = {_VALIDATION: manifest["selection"]["figure"]} if manifest.get("selection") else {}
        found[name][recipe["determinism"]][recipe["seed"]] = manifest["metrics"] | chosen
    for name, levels in found.items():
        _show(name, levels)


def _show(name: str, levels: dict[str, dict[int, dict[str, float]]]) -> None:
    """Print the figures of both levels over the seeds that both have."""
    seeds = sorted(set.intersection(*(set(runs) for runs in levels.values())))
    if len(seeds) < _LEAST:
        print(f"{name}: fewer than {_LEAST} seeds have a run at both levels")
        return
    rows = []
    for figure in (*_FIGURES, _VALIDATION):
        if any(figure not in levels[level][seed] for level in _LEVELS for seed in seeds):
            continue
        strict, portable = ([levels[level][seed][figure] for seed in seeds] for level in _LEVELS)
        difference = statistics.mean(portable) - statistics.mean(strict)
        spread = max(statistics.stdev(strict), statistics.stdev(portable))
        # Two sets of seeds with nothing in common: Welch's test of their means.
        chance = ttest_ind(strict, portable, equal_var=False).pvalue
        rows.append(
            [
                figure,
                *(f"{statistics.mean(values):.4f}" for values in (strict, portable)),
                *(f"{statistics.stdev(values):.4f}" for values in (strict, portable)),
                f"{difference:+.4f}",
                "yes" if abs(difference) <= spread else "NO",
                f"{chance:.2f}",
            ]
        )
    table = Table(
        title=f"{name}, seeds {', '.join(map(str, seeds))}",
        header=["figure", *_LEVELS, "std", "std", "difference", "within the spread", "p"],
        rows=rows,
    )
    print(table.format())


if __name__ == "__main__":
    main()
