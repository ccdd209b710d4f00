"""Holding a repeat's record against its own plan: which runs there were to be, by which recipes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cxr.compare.verify_findings import Finding
from cxr.config.load import load_config
from cxr.config.schema import RunConfig
from cxr.errors import ConfigError, CxrError
from cxr.records.run_directory import REPEAT
from cxr.repeat.plan import RunPlan
from cxr.repeat.pool import CONFIGS
from cxr.repeat.record import list_varied
from cxr.repeat.series import SEEDS, VARY, Series, plan_series


def compare_with_plan(
    directory: Path, answer: Mapping[str, Any], series: Series
) -> Iterator[Finding]:
    """Hold the number of runs, what was varied, and the recipes against what was asked for.

    Args:
        directory: The repeat's own.
        answer: Its record.
        series: What the record says was asked for.
    """
    for name, kind in (("seeds", SEEDS), ("factors", VARY)):
        if name in answer and series.kind != kind:
            yield Finding(REPEAT, f"{name} is of another kind of series")
    try:
        plans = plan_series(series)
    except (CxrError, LookupError, TypeError, ValueError):
        yield Finding(REPEAT, "series is not one that cxr plans")
        return
    if len(plans) != series.num_runs:
        yield Finding(REPEAT, f"n is not the number of planned runs, {len(plans)}")
    if "varied" in answer and answer["varied"] != list_varied(plans):
        yield Finding(REPEAT, "varied is not what the series varies")
    yield from _check_recipes(directory, series.config, plans)


def _check_recipes(directory: Path, base: RunConfig, plans: Sequence[RunPlan]) -> Iterator[Finding]:
    """Compare the recipes of single runs with those that are planned."""
    place = directory / CONFIGS
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        yield Finding(CONFIGS, "is no directory of recipes")
        return
    wanted = {f"{plan.name}.yaml": plan for plan in plans if plan.config != base}
    found = {entry.name for entry in place.iterdir()} if place.is_dir() else set()
    for name in sorted(found - wanted.keys()):
        yield Finding(f"{CONFIGS}/{name}", "was added: no run has this recipe")
    for name, plan in wanted.items():
        path = f"{CONFIGS}/{name}"
        if name in found:
            problem = _compare_recipe(place / name, plan.config)
            if problem is not None:
                yield Finding(path, problem)
        elif (directory / plan.name).exists():
            yield Finding(path, f"is missing: {plan.name} was trained by it")


def _compare_recipe(path: Path, wanted: RunConfig) -> str | None:
    """Return what is wrong with a recipe; None where it is the planned one."""
    try:
        found = load_config(path)
    except ConfigError as error:
        return f"is not read: {error.problem}"
    return None if found == wanted else "is not the recipe that the series plans"
