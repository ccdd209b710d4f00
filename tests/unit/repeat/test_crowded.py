"""Runs that share cores have threads that sleep while they wait; a user's own choice stands."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from cxr.environment import processor
from cxr.repeat import pool
from cxr.repeat.plan import RunPlan, plan_equal_runs
from cxr.repeat.run_process import derive_variables
from support.recipes import load_recipe, vectors

CONFIG = load_recipe(vectors(threads=2))


@pytest.mark.parametrize(
    ("cores", "num_runs", "jobs", "expected"),
    [(3, 2, 2, True), (4, 2, 2, False), (4, 2, 3, False), (4, 3, 3, True), (None, 3, 3, False)],
)
def test_runs_are_crowded_where_they_have_more_threads_than_there_are_cores(
    monkeypatch, tmp_path, cores, num_runs, jobs, expected
):
    start_run = Mock(side_effect=OSError("run-1"))
    monkeypatch.setattr(processor, "count_cores", lambda: cores)
    monkeypatch.setattr(pool, "start_run", start_run)
    plans = plan_equal_runs(CONFIG, num_runs)
    with pytest.raises(OSError, match="run-1"):
        pool.run_plans(tmp_path, CONFIG, plans, watcher=Mock(), jobs=jobs)
    assert start_run.call_args.kwargs["is_crowded"] is expected


def test_threads_of_crowded_runs_sleep_unless_somebody_chose_otherwise():
    plan = RunPlan(name="run-1", config=CONFIG)
    assert derive_variables(plan, {"A": "1"}) == {"A": "1"}
    crowded = derive_variables(plan, {"A": "1"}, is_crowded=True)
    assert crowded == {"A": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    chosen = derive_variables(plan, {"OMP_WAIT_POLICY": "ACTIVE"}, is_crowded=True)
    assert chosen == {"OMP_WAIT_POLICY": "ACTIVE"}
    planned = RunPlan(name="run-1", config=CONFIG, variables={"OMP_WAIT_POLICY": None})
    assert derive_variables(planned, {}, is_crowded=True) == {}
