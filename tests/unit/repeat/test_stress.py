from __future__ import annotations

import itertools

import pytest

from cxr.determinism import variables
from cxr.determinism.levels import Level
from cxr.environment.facts import find_levels
from cxr.repeat.run_process import derive_variables
from cxr.repeat.stress import PADDING, plan_stressed_runs
from support.recipes import load_recipe, vectors

CONFIG = load_recipe(vectors())


def test_the_plans_of_a_recipe_are_always_the_same_and_those_of_another_are_others():
    plans = plan_stressed_runs(CONFIG, 4)
    assert plans == plan_stressed_runs(CONFIG, 4)
    # A longer series begins with the shorter one, so that each run's surroundings are its own.
    assert plans[:3] == plan_stressed_runs(CONFIG, 3)
    other = plan_stressed_runs(load_recipe(vectors(seed=2)), 4)
    assert all(a.varied != b.varied for a, b in zip(plans[1:], other[1:], strict=True))


def test_the_first_run_is_as_without_stress_and_the_second_has_it_all():
    first, second, *_ = plan_stressed_runs(CONFIG, 3)
    assert (first.variables, first.varied, first.working_directory) == ({}, (), None)
    assert first.config == CONFIG
    around = second.surroundings
    assert around.relative_paths
    assert around.on_terminal
    assert around.umask == 0o077
    assert around.load


def test_runs_behind_each_other_differ_in_all_that_has_few_values():
    runs = plan_stressed_runs(CONFIG, 9)[1:]
    for one, two in itertools.pairwise(runs):
        assert one.surroundings.load != two.surroundings.load
        assert one.config.workers != two.config.workers
        for name in ("LC_ALL", "TZ", "PYTHONHASHSEED", "MALLOC_PERTURB_"):
            assert one.variables[name] != two.variables[name]
    assert CONFIG.workers not in {run.config.workers for run in runs}
    for flag in ("relative_paths", "on_terminal", "umask"):
        assert len({getattr(run.surroundings, flag) for run in runs}) == 2


@pytest.mark.parametrize("level", list(Level))
def test_no_variable_is_a_fact_that_affects_bits(level):
    for run in plan_stressed_runs(CONFIG, 5)[1:]:
        for name in run.variables:
            recorded = variables._is_recorded(name) or name in variables.OWN_VARIABLES
            assert not recorded or level not in find_levels(f"variables.{name}"), name
        assert run.config.model_copy(update={"workers": CONFIG.workers}) == CONFIG


def test_the_environment_is_larger_and_in_an_order_that_repeats():
    _, second, third = plan_stressed_runs(CONFIG, 3)
    here = {f"NAME_{n}": str(n) for n in range(20)}
    names = list(derive_variables(second, here))
    assert sorted(names) == sorted({*here, *second.variables})
    assert names == list(derive_variables(second, dict(reversed(here.items()))))
    kept = [name for name in names if name in here]
    assert kept != list(here)
    assert kept != [name for name in derive_variables(third, here) if name in here]
    # A variable more shifts no other.
    assert [n for n in derive_variables(second, {**here, "MORE": ""}) if n in here] == kept
    assert len(derive_variables(second, here)[PADDING]) > 0
