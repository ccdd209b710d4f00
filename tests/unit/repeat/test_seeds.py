"""Which runs seeds ask for, and what comes of them, on runs whose agreement is known by hand."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest

from cxr.config.fields import find_recipe_fields
from cxr.errors import RecordError, UsageError
from cxr.records.manifest import load_manifest
from cxr.repeat.agreement import load_common_images
from cxr.repeat.judge import judge_series, outline_series
from cxr.repeat.only import MOVABLE, move_seed, require_movable
from cxr.repeat.seeds import describe_seed_runs, parse_seeds, plan_seed_runs
from cxr.repeat.series import Series
from cxr.reports.seeds_text import describe_agreement, list_ensemble_rows, list_image_rows
from support.recipes import load_recipe, vectors

ASKED = {"kind": "seeds", "seeds": [1, 2, 3], "only": None, "root": 1}
FIRST_RIGHT, BOTH_RIGHT, FLIPPED = (
    ((0.75, 0.25), (0.625, 0.375)),
    ((0.75, 0.25), (0.25, 0.75)),
    ((0.25, 0.75), (0.5, 0.5)),
)


@pytest.fixture
def runs(make_run):
    """Runs of three seeds over the images test/A/5.png and test/B/6.png."""
    made = [
        make_run(config={"seed": seed}, logits=logits, computed=True)
        for seed, logits in enumerate((FIRST_RIGHT, BOTH_RIGHT, FLIPPED), start=1)
    ]
    return {run: load_manifest(run) for run in made}


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0..3", (0, 1, 2, 3)), ("0,3,7", (0, 3, 7)), ("5, 1..2", (5, 1, 2))],
)
def test_seeds_are_ranges_and_lists(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text", ["", "3", "1..1", "3..1", "1,1", "0..2,2", "a", "-1..2", "0..1000", "1...3", "٣,٤"]
)
def test_other_texts_are_refused(text):
    with pytest.raises(UsageError):
        parse_seeds(text)


def test_each_run_has_its_seed_and_nothing_else_of_its_own():
    config = load_recipe(vectors())
    plans = plan_seed_runs(config, {"seeds": [4, 9], "only": None, "root": 1})
    assert [(plan.name, plan.config.seed) for plan in plans] == [("run-1", 4), ("run-2", 9)]
    assert plans[0].config.model_copy(update={"seed": 1}) == config


@pytest.mark.parametrize("only", MOVABLE)
def test_one_stream_moves_one_field(only):
    config = load_recipe(
        vectors(
            data={"source": "folder", "root": "x", "classes": ["A", "B"], "test_fraction": 0.25},
            train__augment__flip=True,
        )
    )
    before, after = (find_recipe_fields(one) for one in (config, move_seed(config, 9, only)))
    field = "data.split_seed" if only == "split" else f"streams.{only}"
    assert {name for name in after if before.get(name) != after[name]} == {field}
    assert after[field] == 9
    require_movable(config, only)


@pytest.mark.parametrize(
    ("only", "problem"),
    [("dice", "no stream"), ("split", "splits are given"), ("augment", "augments nothing")],
)
def test_a_stream_that_moves_nothing_is_refused_by_name(only, problem):
    with pytest.raises(UsageError, match=problem):
        require_movable(load_recipe(vectors()), only)


def test_a_split_that_a_lock_holds_does_not_move():
    data = {"source": "folder", "root": "x", "classes": ["A", "B"], "lock": "y"}
    config = load_recipe(vectors(data={**data, "validation_fraction": 0.25}))
    with pytest.raises(UsageError, match=r"data\.lock"):
        require_movable(config, "split")


def test_figures_have_mean_deviation_and_intervals_of_each_class_too(runs):
    found = describe_seed_runs(runs, ASKED)
    assert (found.seeds, found.missing, found.split) == ([1, 2, 3], [], "test")
    accuracy = found.figures["accuracy"]
    assert (accuracy.num, accuracy.mean, accuracy.std) == (3, 0.5, 0.5)
    # Student's t of 2 degrees of freedom.
    assert accuracy.student.high == pytest.approx(0.5 + 4.302652729911275 * 0.5 / 3**0.5)
    recalls = [manifest["metrics"]["per_class"]["A"]["recall"] for manifest in runs.values()]
    assert found.per_class["A"]["recall"].mean == statistics.mean(recalls) == pytest.approx(2 / 3)


def test_images_that_seeds_disagree_about_are_named(runs):
    found = describe_seed_runs(runs, ASKED).agreement
    assert (found.num_images, found.changing, found.changing_share) == (2, 2, 1.0)
    worst = found.worst[0]
    # Both have two against one; of the first the probabilities lie farther apart.
    assert [one.path for one in found.worst] == ["test/A/5.png", "test/B/6.png"]
    assert worst.decisions == {"A": 2, "B": 1}
    assert (worst.lowest, worst.highest) == ([0.25, 0.25], [0.75, 0.75])
    # Both span the same: the class that is shown is one for all, and named.
    assert worst.choose_class() == 1
    assert replace(worst, lowest=[0.1, 0.9004], highest=[0.4001, 1.2]).choose_class() == 1
    assert replace(worst, lowest=[0.1, 0.9], highest=[0.5, 1.2]).choose_class() == 0
    told = describe_agreement(replace(found, kappa=None))
    assert told[1] == "Fleiss' kappa of the decisions undefined: all decisions are one class"
    [first, *_] = list_image_rows(found)[1]
    assert first[-1] == "B 0.250 to 0.750"
    values = [0.75, 0.75, 0.25]
    wanted = statistics.stdev(values) / statistics.mean(values)
    assert worst.coefficients[0] == pytest.approx(wanted)
    others = [0.625, 0.25, 0.5]
    other = statistics.stdev(others) / statistics.mean(others)
    assert found.variation["A"]["mean"] == pytest.approx((wanted + other) / 2)
    # Six votes, A four times: agreement 1/3 within images, 5/9 by chance.
    assert found.kappa == pytest.approx((1 / 3 - 5 / 9) / (1 - 5 / 9))


def test_the_ensemble_is_held_against_each_run(runs):
    found = describe_seed_runs(runs, ASKED).ensemble
    # Means of A: 7/12 and 11/24.
    assert (found.num_runs, found.figures["accuracy"]) == (3, 1.0)
    assert found.better_runs["accuracy"] == 0
    losses = [manifest["metrics"]["loss"] for manifest in runs.values()]
    assert found.better_runs["loss"] == sum(loss < found.figures["loss"] for loss in losses)


def test_runs_on_other_images_are_not_held_against_the_ensemble(runs, monkeypatch):
    def load(places):
        return replace(load_common_images(places), left_out=1)

    monkeypatch.setattr("cxr.repeat.seeds.load_common_images", load)
    found = describe_seed_runs(runs, ASKED)
    assert found.ensemble.better_runs == {}
    rows = list_ensemble_rows(found)[1]
    assert all(row[2:] == ["-", "-", "-"] for row in rows)


def test_a_run_that_is_missing_leaves_it_incomplete_and_is_named(runs):
    config = load_recipe(vectors())
    series = Series(config=config, num_runs=3, asked=ASKED)
    first, second, third = runs
    whole = judge_series(series, [first, second, third])
    assert (whole.verdict, whole.excluded_rate) == ("distribution", None)
    part = judge_series(series, [first, third])
    assert (part.verdict, part.seeds.missing) == ("incomplete", [2])
    assert outline_series(series, list(runs)).verdict == "incomplete"


def test_edited_predictions_are_refused(runs):
    path = next(iter(runs)) / "predictions.csv"
    path.write_text(path.read_text().replace("0.75", "0.85"))
    with pytest.raises(RecordError, match="not those of the run's outcome"):
        describe_seed_runs(runs, ASKED)


@pytest.mark.parametrize(
    "change", [{"seeds": None}, {"seeds": []}, {"seeds": ["1"]}, {"only": "x"}, {"root": None}]
)
def test_a_record_that_does_not_say_its_seeds_is_refused(change):
    with pytest.raises(RecordError):
        plan_seed_runs(load_recipe(vectors()), {**ASKED, **change})
