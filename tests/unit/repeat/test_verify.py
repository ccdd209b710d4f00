from __future__ import annotations

import json
import shutil

import pytest

from cxr.config.load import dump_config, load_config
from cxr.digests.canonical import canonical_json
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.records.figures import SCALARS
from cxr.records.manifest import REPEAT_SCHEMA, seal_manifest
from cxr.records.run_directory import CONFIG, METRICS, REPEAT
from cxr.repeat.record import list_varied
from cxr.repeat.report import summarise_runs
from cxr.repeat.series import Series, plan_series
from cxr.repeat.verify_record import verify_record


@pytest.fixture
def repeat(make_run, tmp_path):
    """Two runs and the answer of a repeat beside them."""
    place = tmp_path / "repeat"
    place.mkdir()
    names = ["run-1", "run-2"]
    for name in names:
        shutil.move(make_run(computed=True), place / name)
    report = summarise_runs([place / name for name in names], 2)
    content = {**report.to_json(), "runs": names, "schema": REPEAT_SCHEMA}
    (place / REPEAT).write_bytes(canonical_json(seal_manifest(content)))
    return place


def edit(repeat, *, seal=True, **changes):
    content = {**json.loads((repeat / REPEAT).read_bytes()), **changes}
    (repeat / REPEAT).write_bytes(canonical_json(seal_manifest(content) if seal else content))


def describe(repeat):
    return [(finding.path, finding.problem) for finding in verify_record(repeat).findings]


def test_a_repeat_as_it_was_written_is_consistent(repeat):
    found = verify_record(repeat)
    assert (found.status, found.findings) == ("zero-variance", [])
    assert found.num_files == 1 + sum(verify_record(repeat / f"run-{n}").num_files for n in (1, 2))


def test_an_edit_is_named_sealed_or_not(repeat):
    edit(repeat, verdict="variance", seal=False)
    assert describe(repeat) == [
        (REPEAT, "was edited: its content has another manifest_digest"),
        (REPEAT, "verdict is not what the runs give"),
    ]
    edit(repeat, verdict="zero-variance", excluded_rate=0.1)
    assert describe(repeat) == [(REPEAT, "excluded_rate is not what the runs give")]


def test_a_changed_config_is_named(repeat):
    shutil.copy(repeat / "run-1" / CONFIG, repeat / CONFIG)
    edit(repeat, config_digest=digest_file(repeat / CONFIG), series={"kind": "equal"}, varied={})
    assert describe(repeat) == []
    with (repeat / CONFIG).open("a", encoding="utf-8") as stream:
        stream.write("# another\n")
    assert describe(repeat) == [(CONFIG, "was changed since the runs began")]
    (repeat / CONFIG).unlink()
    assert describe(repeat) == [(CONFIG, "was changed since the runs began")]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"series": {"kind": "stress"}}, "varied is not what the series varies"),
        ({"varied": {"run-2": ["threads=64"]}}, "varied is not what the series varies"),
        ({"factors": {}}, "factors is of another kind of series"),
        ({"seeds": {}}, "seeds is of another kind of series"),
        ({"series": {"kind": "other"}}, "series is not one that cxr plans"),
    ],
)
def test_a_repeat_is_held_against_what_it_was_asked_for(repeat, changes, problem):
    shutil.copy(repeat / "run-1" / CONFIG, repeat / CONFIG)
    edit(repeat, config_digest=digest_file(repeat / CONFIG), series={"kind": "equal"}, varied={})
    edit(repeat, **changes)
    assert (REPEAT, problem) in describe(repeat)


@pytest.fixture
def stressed(repeat):
    """The same as a series whose second run has a recipe of its own."""
    shutil.copy(repeat / "run-1" / CONFIG, repeat / CONFIG)
    asked = {"kind": "stress"}
    plans = plan_series(Series(config=load_config(repeat / CONFIG), num_runs=2, asked=asked))
    (repeat / "configs").mkdir()
    recipe = repeat / "configs" / "run-2.yaml"
    recipe.write_text(dump_config(plans[1].config, recipe.parent), encoding="utf-8")
    digest = digest_file(repeat / CONFIG)
    edit(repeat, config_digest=digest, series=asked, varied=list_varied(plans))
    return repeat, recipe


def test_recipes_of_single_runs_are_held_against_the_plan(stressed):
    repeat, recipe = stressed
    assert describe(repeat) == []
    text = recipe.read_text(encoding="utf-8")
    recipe.write_text(text.replace("seed: 1", "seed: 2"), encoding="utf-8")
    assert recipe.read_text(encoding="utf-8") != text
    assert describe(repeat) == [("configs/run-2.yaml", "is not the recipe that the series plans")]
    recipe.write_text("seed: [", encoding="utf-8")
    [(path, problem)] = describe(repeat)
    assert (path, problem.partition(":")[0]) == ("configs/run-2.yaml", "is not read")
    recipe.rename(recipe.with_name("run-1.yaml"))
    assert describe(repeat) == [
        ("configs/run-1.yaml", "was added: no run has this recipe"),
        ("configs/run-2.yaml", "is missing: run-2 was trained by it"),
    ]


def test_a_record_of_the_first_release_may_lack_what_came_later_and_no_other_may(repeat):
    content = json.loads((repeat / REPEAT).read_bytes())
    main = {name: value for name, value in content["metrics"].items() if name in SCALARS}
    assert len(main) < len(content["metrics"])
    edit(repeat, metrics=main)
    assert describe(repeat) == []
    edit(repeat, metrics={name: value for name, value in main.items() if name != "loss"})
    assert describe(repeat) == [(REPEAT, "metrics is not what the runs give")]
    shutil.copy(repeat / "run-1" / CONFIG, repeat / CONFIG)
    edit(repeat, metrics=main, series={"kind": "equal"}, varied={})
    assert describe(repeat) == [(REPEAT, "metrics is not what the runs give")]


@pytest.mark.parametrize("name", ["..", "", "a/../run-1"])
def test_a_run_lies_beside_the_record(repeat, name):
    edit(repeat, runs=["run-1", name])
    with pytest.raises(RecordError, match="not a repeat"):
        verify_record(repeat)


def test_a_changed_run_is_named_by_its_place(repeat):
    (repeat / "run-2" / METRICS).write_bytes(b"")
    [(path, _)] = describe(repeat)
    assert path == f"run-2/{METRICS}"


def test_a_run_that_was_removed_or_added_is_named(repeat):
    (repeat / "run-2").rename(repeat / "run-3")
    problems = dict(describe(repeat)[-2:])
    assert problems["run-3"] == "was added: the repeat does not name it"
    assert problems["run-2"] == "not a run directory: it holds no manifest.json"


@pytest.mark.parametrize(
    "changes", [{"schema": "other"}, {"n": "2"}, {"runs": ["../outside"]}, {"runs": ["a/b"]}]
)
def test_what_is_no_repeat_is_refused(repeat, changes):
    edit(repeat, **changes)
    with pytest.raises(RecordError, match="not a repeat"):
        verify_record(repeat)


def test_a_repeat_that_was_killed_never_ended_and_another_directory_was_added(repeat):
    shutil.copy(repeat / "run-1" / CONFIG, repeat / CONFIG)
    report = summarise_runs([repeat / "run-1", repeat / "run-2"], 3)
    content = {**report.to_json(), "runs": ["run-1", "run-2"], "schema": REPEAT_SCHEMA}
    named = {"config_digest": digest_file(repeat / CONFIG), "series": {"kind": "equal"}}
    edit(repeat, **content, **named, varied={})
    assert describe(repeat) == []
    (repeat / "run-4").mkdir()
    assert describe(repeat) == [("run-4", "was added: the repeat does not name it")]
    (repeat / "run-3").mkdir()
    with pytest.raises(RecordError, match="never ended: run-3 had begun") as refused:
        verify_record(repeat)
    assert refused.value.hint.startswith("go on with cxr repeat --resume ")
