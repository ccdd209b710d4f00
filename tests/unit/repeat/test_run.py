from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cxr.config.load import load_config
from cxr.config.schema import RunConfig
from cxr.errors import ExitCode, RunDirectoryTakenError
from cxr.records.manifest import load_manifest
from cxr.repeat import run as repeat
from cxr.repeat.report import derive_excluded_rate, summarise_runs
from cxr.repeat.run import RunFailedError, repeat_recipe

OTHER = {"weight": 0.75, "upset": frozenset({(1, "gradients", "w")})}


@pytest.mark.parametrize("num_runs", [2, 3, 5, 59, 60])
def test_at_the_excluded_rate_equal_runs_would_have_a_chance_of_one_in_twenty(num_runs):
    rate = derive_excluded_rate(num_runs)
    assert (1 - rate) ** (num_runs - 1) == pytest.approx(0.05)
    assert rate == pytest.approx(1 - 0.05 ** (1 / (num_runs - 1)), abs=1e-12)


def test_known_rates():
    assert derive_excluded_rate(2) == pytest.approx(0.95)
    assert derive_excluded_rate(3) == pytest.approx(0.776, abs=1e-3)
    assert derive_excluded_rate(60) == pytest.approx(0.0495, abs=1e-4)


@pytest.mark.parametrize("num_runs", [0, 1])
def test_one_run_is_no_evidence(num_runs):
    assert derive_excluded_rate(num_runs) is None


def test_equal_runs_have_no_variance(make_run):
    runs = [make_run() for _ in range(3)]
    found = summarise_runs(runs, 3)
    assert found.verdict == "zero-variance"
    assert found.n == 3
    assert found.runs == list(map(str, runs))
    assert found.outcome_digests == [load_manifest(runs[0])["outcome_digest"]] * 3
    assert found.excluded_rate == derive_excluded_rate(3)
    assert found.metrics["accuracy"] == {"mean": 0.5, "std": 0.0, "min": 0.5, "max": 0.5}
    assert all(spread["std"] == 0.0 for spread in found.metrics.values())


@pytest.mark.parametrize(
    "changes",
    [{"weight": 0.75}, {"upset": frozenset({(1, "gradients", "w")})}],
    ids=["another outcome", "another trace"],
)
def test_one_run_with_other_bits_is_variance(make_run, changes):
    found = summarise_runs([make_run(), make_run(), make_run(**changes)], 3)
    assert found.verdict == "variance"
    assert found.excluded_rate is None


def test_the_spread_of_figures_is_mean_deviation_least_and_greatest(make_run):
    runs = [make_run(metrics={"accuracy": value}) for value in (0.25, 0.5, 1.0)]
    found = summarise_runs(runs, 3).metrics["accuracy"]
    assert found == {
        "mean": pytest.approx(7 / 12),
        "std": pytest.approx(0.381881, abs=1e-6),
        "min": 0.25,
        "max": 1.0,
    }


def test_a_figure_that_one_run_does_not_have_has_no_spread(make_run):
    found = summarise_runs([make_run(), make_run(metrics={"auroc": None})], 2)
    assert "auroc" not in found.metrics
    assert "accuracy" in found.metrics


def test_figures_of_classes_have_a_spread_as_well(make_run):
    runs = [make_run(metrics={"per_class": {"A": {"recall": value}}}) for value in (0.25, 0.75)]
    assert summarise_runs(runs, 2).metrics["per_class.A.recall"]["mean"] == 0.5


def test_a_difference_is_found_whatever_came_of_the_others(make_run):
    found = summarise_runs([make_run(), make_run(**OTHER), make_run(status="failed")], 3)
    assert (found.verdict, found.differs, found.unfinished) == ("variance", True, {"2": "failed"})


@pytest.mark.parametrize("status", ["failed", "interrupted", "running"])
def test_runs_that_did_not_complete_leave_it_incomplete(make_run, status):
    found = summarise_runs([make_run(), make_run(), make_run(status=status)], 3)
    assert found.verdict == "incomplete"
    assert len(found.outcome_digests) == 2
    assert found.excluded_rate == derive_excluded_rate(2)


def test_a_run_that_left_nothing_leaves_it_incomplete(make_run, tmp_path):
    found = summarise_runs([make_run(), tmp_path / "nothing"], 2)
    assert found.verdict == "incomplete"
    assert found.excluded_rate is None
    assert summarise_runs([], 2).verdict == "incomplete"


def test_the_answer_is_plain_json(make_run):
    answer = json.loads(json.dumps(summarise_runs([make_run(), make_run()], 2).to_json()))
    assert {"n", "verdict", "runs", "outcome_digests", "excluded_rate", "metrics"} <= answer.keys()


# The whole, with runs that nobody trains


@pytest.fixture
def config():
    return RunConfig.model_validate_json(
        json.dumps(
            {
                "name": "sample",
                "seed": 1,
                "threads": 1,
                "data": {"source": "synthetic", "image_size": 28},
                "model": {"name": "mlp"},
                "train": {"epochs": 1, "batch_size": 4},
            }
        )
    )


@pytest.fixture
def run_all(config, tmp_path, make_task, pool):
    """Repeat three runs that nobody trains."""
    del pool

    def run():
        task = make_task(config, 3)
        out, report = repeat_recipe(task, out=tmp_path / "repeat")
        return out, report, task.watcher.told

    return run


def test_each_run_has_a_directory_of_its_own_beside_one_config(config, run_all):
    out, report, told = run_all()
    assert report.verdict == "zero-variance"
    assert told == [f"run-{n} {what}" for n in (1, 2, 3) for what in ("begins", "ends with 0")]
    assert load_config(out / "config.yaml") == config
    record = json.loads((out / "repeat.json").read_bytes())
    assert record["runs"] == ["run-1", "run-2", "run-3"]
    assert (record["verdict"], record["series"]) == ("zero-variance", {"kind": "equal"})
    assert {entry.name for entry in out.iterdir()} == {
        *record["runs"],
        "config.yaml",
        "repeat.json",
    }


def test_a_run_that_differs_is_found(run_all, pool):
    pool[2] = (0, OTHER)
    _, report, _ = run_all()
    assert report.verdict == "variance"
    assert len(report.runs) == 3


@pytest.mark.parametrize(
    ("code", "status"), [(3, "failed"), (-9, "running"), (int(ExitCode.INTERRUPTED), "interrupted")]
)
def test_a_run_that_ends_badly_leaves_the_others_and_is_named(run_all, pool, code, status):
    pool[2] = (code, {"status": status})
    out, report, told = run_all()
    assert (report.verdict, report.unfinished) == ("incomplete", {"run-2": status})
    assert len(report.outcome_digests) == 2
    assert told[-1] == "run-3 ends with 0"
    record = json.loads((out / "repeat.json").read_bytes())
    assert (record["verdict"], record["unfinished"]) == ("incomplete", {"run-2": status})


def test_what_is_done_is_kept_when_no_other_run_begins(run_all, pool):
    pool[2] = ("not begun", None)
    out, report, _ = run_all()
    assert report.verdict == "incomplete"
    assert json.loads((out / "repeat.json").read_bytes())["runs"] == ["run-1"]


def test_a_first_run_that_cannot_begin_leaves_nothing_behind(run_all, pool, tmp_path):
    pool[1] = (2, None)
    with pytest.raises(RunFailedError, match="ended with exit code 2 before its first step") as one:
        run_all()
    assert one.value.code == 2
    assert not (tmp_path / "repeat").exists()


def test_a_first_run_that_was_killed_says_nothing_about_the_others(run_all, pool):
    pool[1] = (-9, None)
    _, report, told = run_all()
    assert told[1:3] == ["run-1 ends with -9", "run-2 begins"]
    assert [Path(run).name for run in report.runs] == ["run-2", "run-3"]
    assert report.verdict == "incomplete"


def test_a_directory_that_holds_something_is_refused(run_all, tmp_path):
    (tmp_path / "repeat").mkdir()
    (tmp_path / "repeat" / "kept").touch()
    with pytest.raises(RunDirectoryTakenError, match="of the repeat already exists"):
        run_all()


@pytest.mark.usefixtures("pool")
def test_two_of_one_recipe_in_one_second_have_directories_of_their_own(
    config, tmp_path, make_task, monkeypatch
):
    class Clock:
        now = staticmethod(lambda _: datetime(2025, 1, 2, tzinfo=UTC))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(repeat, "datetime", Clock)
    first, second = (repeat_recipe(make_task(config, 2), out=None)[0] for _ in range(2))
    assert second.name == f"{first.name}-2"
