"""What factors stand for, which are passed over, and what their runs tell."""

from __future__ import annotations

import pytest

from cxr.errors import RecordError, UsageError
from cxr.records.manifest import load_manifest
from cxr.repeat import vary
from cxr.repeat.factors import apply_setting, find_reason_to_pass, parse_settings
from cxr.repeat.judge import judge_series
from cxr.repeat.series import Series
from cxr.repeat.vary import ask_to_vary, describe_varied_runs, plan_varied_runs
from support.recipes import load_recipe, vectors

CONFIG = load_recipe(vectors())
ASKED = {
    "kind": "vary",
    "settings": ["threads=2", "isa=avx512", "workers=0"],
    "passed_over": {"isa=avx512": "this machine has no avx512f"},
}


@pytest.fixture
def place_runs(make_run, tmp_path):
    """Place runs as a series does: the reference, once more, then one a setting."""

    def place(*changes):
        home = tmp_path / "repeat"
        home.mkdir()
        return {
            run: load_manifest(run)
            for number, change in enumerate(changes, start=1)
            if change is not None
            for run in [make_run(computed=True, **change).rename(home / f"run-{number}")]
        }

    return place


@pytest.mark.parametrize(
    "text",
    [
        "threads",
        "cores=1",
        "threads=",
        "threads=0",
        "threads=01",
        "threads=1,1",
        "isa=mmx",
        "workers=257",
        "workers=-1",
        "batch_eval=1e1",
        "threads=٢",
    ],
)
def test_other_factors_and_values_are_refused(text):
    with pytest.raises(UsageError):
        parse_settings([text])


def test_a_factor_without_values_is_not_said_to_be_unknown():
    with pytest.raises(UsageError, match="the factor threads is named without values"):
        parse_settings(["threads"])
    with pytest.raises(UsageError, match="no factor is called 'cores'"):
        parse_settings(["cores"])


@pytest.mark.parametrize(
    ("text", "fields", "variables"),
    [
        ("threads=3", {"threads": 3}, {}),
        ("workers=0", {"workers": 0}, {}),
        ("batch_eval=7", {}, {}),
        (
            "isa=avx2",
            {},
            {
                "ATEN_CPU_CAPABILITY": "avx2",
                "ONEDNN_MAX_CPU_ISA": "AVX2",
                "MKL_ENABLE_INSTRUCTIONS": "AVX2",
            },
        ),
        ("mkl_cbwr=compatible", {}, {"MKL_CBWR": "COMPATIBLE"}),
    ],
)
def test_a_setting_changes_one_thing(text, fields, variables):
    [setting] = parse_settings([text])
    config, found = apply_setting(CONFIG, setting)
    wanted = CONFIG.model_copy(update=fields)
    if text.startswith("batch"):
        evaluate = CONFIG.evaluate.model_copy(update={"batch_size": 7})
        wanted = CONFIG.model_copy(update={"evaluate": evaluate})
    assert (config, found) == (wanted, variables)


def test_what_a_machine_cannot_take_is_said_with_the_reason():
    isa, own = parse_settings(["isa=avx512", "threads=1"])
    told = find_reason_to_pass(CONFIG, isa, ["avx2", "avx512f", "fma"])
    assert told == "this machine has no avx512bw, avx512vl"
    assert find_reason_to_pass(CONFIG, isa, ["avx512bw", "avx512f", "avx512vl"]) is None
    assert find_reason_to_pass(CONFIG, own, []) == "it is the recipe's own value"


def test_it_is_kept_in_the_record_and_planned_without(monkeypatch):
    monkeypatch.setattr(vary, "capture_cpu", lambda: {"instruction_sets": ["avx2", "fma"]})
    asked = ask_to_vary(CONFIG, ["threads=1,2", "isa=avx2,avx512"])
    assert asked["settings"] == ["threads=1", "threads=2", "isa=avx2", "isa=avx512"]
    assert list(asked["passed_over"]) == ["threads=1", "isa=avx512"]
    plans = plan_varied_runs(CONFIG, asked)
    told = ["the reference", "the reference again", "threads=2", "isa=avx2"]
    assert [plan.varied for plan in plans] == [(text,) for text in told]
    with pytest.raises(UsageError, match="nothing is left to vary"):
        ask_to_vary(CONFIG, ["threads=1", "isa=avx512"])


def test_each_factor_is_harmless_or_parts_somewhere_by_so_much(place_runs):
    upset = {"weight": 0.75, "upset": frozenset({(1, "gradients", "w")})}
    runs = place_runs({}, {}, {**upset, "logits": ((0.75, 0.25), (0.5, 0.5))}, {})
    found = describe_varied_runs(CONFIG, ASKED, runs)
    assert found.repeats is True
    threads, isa, workers = found.effects
    assert (threads.status, threads.run, threads.promised) == ("changes-bits", "run-3", False)
    assert (threads.first_divergence.step, threads.first_divergence.what) == (1, "gradients")
    assert threads.weights.largest_difference == 0.25
    assert threads.weights.relative_norm == pytest.approx(0.25 / (0.25 + 4) ** 0.5)
    assert threads.predictions.changed_decisions == 1
    assert threads.predictions.largest_probability_change == 0.5
    assert threads.figures["accuracy"] == 0.5
    assert (isa.status, isa.run, isa.reason) == ("not-taken", None, "this machine has no avx512f")
    assert (workers.status, workers.run, workers.promised) == ("harmless", "run-4", True)
    assert not found.breaks_promise
    series = Series(config=CONFIG, num_runs=4, asked=ASKED)
    assert judge_series(series, list(runs)).verdict == "changes-bits"


@pytest.mark.parametrize(
    ("runs", "verdict", "differs"),
    [
        (({}, {}, {}), "incomplete", False),
        (({}, {}, {"weight": 0.75}), "incomplete", False),
        (({}, {"weight": 0.75}, {}), "variance", True),
    ],
)
def test_of_factors_a_missing_run_leaves_open_what_is_not_yet_found(
    place_runs, runs, verdict, differs
):
    report = judge_series(Series(config=CONFIG, num_runs=4, asked=ASKED), list(place_runs(*runs)))
    assert (report.verdict, report.differs) == (verdict, differs)


def test_a_promise_that_is_broken_is_told_though_a_run_is_missing(place_runs):
    runs = place_runs({}, {}, {"status": "failed"}, {"weight": 0.75})
    report = judge_series(Series(config=CONFIG, num_runs=4, asked=ASKED), list(runs))
    assert (report.verdict, report.differs) == ("changes-bits", True)


def test_what_the_level_promises_and_does_not_hold_is_told(place_runs):
    runs = place_runs({}, {}, {}, {"weight": 0.75})
    found = describe_varied_runs(CONFIG, ASKED, runs)
    assert found.breaks_promise
    portable = load_recipe(vectors(determinism="portable"))
    asked = {**ASKED, "settings": ["threads=2", "isa=default", "batch_eval=3"], "passed_over": {}}
    promised = [one.promised for one in describe_varied_runs(portable, asked, {}).effects]
    assert promised == [True, True, True]
    strict = [one.promised for one in describe_varied_runs(CONFIG, asked, {}).effects]
    assert strict == [False, False, False]


def test_a_reference_that_does_not_repeat_is_variance(place_runs):
    runs = place_runs({}, {"weight": 0.75}, {}, {})
    series = Series(config=CONFIG, num_runs=4, asked=ASKED)
    found = judge_series(series, list(runs))
    assert (found.verdict, found.factors.repeats) == ("variance", False)


def test_a_missing_run_is_named_and_leaves_it_incomplete(place_runs):
    runs = place_runs({}, {}, None, {})
    series = Series(config=CONFIG, num_runs=4, asked=ASKED)
    found = judge_series(series, list(runs))
    assert found.verdict == "incomplete"
    assert [one.status for one in found.factors.effects] == ["missing", "not-taken", "harmless"]


def test_an_instruction_set_that_torch_did_not_take_is_said(place_runs):
    asked = {"kind": "vary", "settings": ["isa=default"], "passed_over": {}}
    [effect] = describe_varied_runs(CONFIG, asked, place_runs({}, {}, {})).effects
    assert effect.status == "not-taken"
    assert effect.reason == "torch says that it computes with AVX2"


def test_where_no_value_was_taken_nothing_is_called_harmless(place_runs):
    asked = {"kind": "vary", "settings": ["isa=default"], "passed_over": {}}
    runs = place_runs({}, {}, {})
    found = judge_series(Series(config=CONFIG, num_runs=3, asked=asked), list(runs))
    assert found.verdict == "incomplete"


@pytest.mark.parametrize(
    "change", [{"settings": None}, {"settings": ["x=1"]}, {"passed_over": []}, {"settings": []}]
)
def test_a_record_that_does_not_say_what_was_varied_is_refused(change):
    with pytest.raises(RecordError):
        plan_varied_runs(CONFIG, {**ASKED, **change})
