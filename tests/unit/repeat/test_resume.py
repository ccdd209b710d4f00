"""What is kept of a repeat that was stopped, and what is refused."""

from __future__ import annotations

import json

import pytest

from cxr.config.load import load_config
from cxr.digests.canonical import canonical_json
from cxr.errors import RecordError, RunDirectoryError
from cxr.records.manifest import seal_manifest
from cxr.repeat import resume
from cxr.repeat.plan import plan_equal_runs
from cxr.repeat.record import load_series
from cxr.repeat.resume import find_rest
from cxr.repeat.run import repeat_recipe
from cxr.repeat.series import Series, plan_series


@pytest.fixture
def stopped(pool, make_task, make_run, tmp_path):
    """A repeat of four runs: complete, failed, killed, and never begun."""
    pool[1] = (0, {"computed": True})
    pool[2] = (3, {"status": "failed"})
    pool[3] = (-9, {"status": "running"})
    pool[4] = ("not begun", None)
    config = load_config(make_run() / "config.yaml")
    return repeat_recipe(make_task(config, 4), out=tmp_path / "repeat")[0]


@pytest.fixture
def plans(stopped):
    return plan_series(load_series(stopped))


def test_what_was_asked_for_comes_from_the_record(stopped):
    series = load_series(stopped)
    assert (series.num_runs, series.asked, series.against) == (4, {"kind": "equal"}, None)
    assert series.config == load_config(stopped / "config.yaml")
    assert plan_series(series) == plan_equal_runs(series.config, 4)


def test_complete_runs_are_kept_begun_ones_go_on_and_missing_ones_are_trained(stopped, plans):
    rest = find_rest(stopped, plans)
    assert [plan.name for plan in rest.plans] == ["run-2", "run-3", "run-4"]
    assert rest.going_on == {"run-2", "run-3"}


def test_a_run_that_never_came_to_a_step_is_trained_afresh(stopped, plans):
    run = stopped / "run-3"
    for path in run.iterdir():
        if path.name != "manifest.json":
            path.unlink()
    rest = find_rest(stopped, plans)
    assert "run-3" not in rest.going_on
    assert "run-3" in [plan.name for plan in rest.plans]
    assert not run.exists()


def test_a_run_with_steps_that_lost_an_input_is_not_removed(stopped, plans):
    (stopped / "run-3" / "env.json").unlink()
    with pytest.raises(RecordError, match="lacks") as caught:
        find_rest(stopped, plans)
    assert caught.value.problem == "the run has steps, and lacks env.json"
    assert caught.value.where == str(stopped / "run-3")
    assert "remove the run's directory to have it trained afresh" in caught.value.hint
    assert (stopped / "run-3" / "ledger.jsonl").exists()


def test_a_complete_run_that_was_changed_is_refused(stopped, plans):
    with (stopped / "run-1" / "metrics.jsonl").open("a") as stream:
        stream.write("\n")
    with pytest.raises(RecordError, match=r"a run was changed: metrics\.jsonl"):
        find_rest(stopped, plans)


def test_a_run_of_another_recipe_is_refused(stopped):
    config = load_config(stopped / "config.yaml", ["seed=9"])
    with pytest.raises(RecordError, match="of another recipe"):
        find_rest(stopped, plan_equal_runs(config, 4))


def test_a_changed_config_is_refused(stopped):
    path = stopped / "config.yaml"
    path.write_text(path.read_text().replace("seed: 1", "seed: 2"))
    with pytest.raises(RecordError, match="the config was changed"):
        load_series(stopped)


@pytest.mark.parametrize("seal", [True, False])
def test_an_edited_record_is_refused(stopped, seal):
    path = stopped / "repeat.json"
    content = {**json.loads(path.read_bytes()), "n": 0 if seal else 5}
    path.write_bytes(canonical_json(seal_manifest(content) if seal else content))
    with pytest.raises(RecordError, match="was edited"):
        load_series(stopped)


def test_a_kind_that_is_not_known_is_refused(stopped):
    series = load_series(stopped)
    with pytest.raises(RecordError, match="unknown kind: moons"):
        plan_series(Series(config=series.config, num_runs=2, asked={"kind": "moons"}))


def test_a_directory_that_holds_no_repeat_is_told_what_one_holds(stopped):
    for directory in (stopped / "run-1", stopped / "nothing"):
        with pytest.raises(RecordError, match="cannot read the record") as caught:
            load_series(directory)
        assert caught.value.where == str(directory / "repeat.json")
        assert "cxr repeat wrote holds repeat.json" in caught.value.hint


def test_two_do_not_go_on_at_once(stopped):
    with resume.hold_lock(stopped), pytest.raises(RunDirectoryError, match="another"):
        resume.go_on(None, stopped)
