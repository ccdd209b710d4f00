from __future__ import annotations

import json

import pytest

from cxr.config.load import load_config
from cxr.config.schema import RunConfig
from cxr.determinism.levels import Level
from cxr.determinism.streams import GENERATOR, PURPOSES
from cxr.digests.canonical import digest_json
from cxr.environment.facts import digest_environment
from cxr.environment.kept import Kept
from cxr.errors import DataError, TrainingError
from cxr.records.data_lock import DataLock, load_data_lock
from cxr.records.manifest import digest_files, is_sealed, load_manifest
from cxr.records.recipe import derive_recipe, digest_recipe
from cxr.records.run_directory import CONFIG, DATA_LOCK, ENVIRONMENT, METRICS
from cxr.records.run_record import RunRecord, describe_config

LOCK = DataLock(classes=("a", "b"), samples=())
ENVIRONMENT_FACTS = {
    "schema": "x",
    "cpu": {"model": "A"},
    "packages": {"torch": "2.9"},
    "code": {"digest": "sha256:3", "commit": None, "dirty": None},
}
CONTROLS = {"torch.num_threads": 1}
TRACE = {"ledger_head": "0" * 64, "steps": 3}
TALLY = {"ops_without_deterministic_kernel": {"put_": 1}, "doubled_steps": {"doubled": 1}}
OUTCOME = {"weights_digest": "sha256:1", "predictions_digest": "sha256:2"}


def build(tmp_path, **changes):
    tree = {
        "name": "planted",
        "seed": 7,
        "threads": 1,
        "data": {"source": "folder", "root": str(tmp_path / "somebody" / "data")},
        "model": {"name": "test_resnet"},
        "train": {"epochs": 1, "batch_size": 4, **changes},
    }
    tree["data"]["classes"] = ["a", "b"]
    return RunConfig.model_validate_json(json.dumps(tree))


@pytest.fixture
def config(tmp_path):
    return build(tmp_path)


@pytest.fixture
def record(tmp_path, config):
    """A record that was begun."""
    directory = tmp_path / "somebody" / "runs" / "one"
    directory.mkdir(parents=True)
    record = RunRecord(directory=directory)
    record.begin(
        config=config,
        lock=LOCK,
        recipe=derive_recipe(config, LOCK, None),
        weights_origin=None,
        environment=ENVIRONMENT_FACTS,
        patch=Kept(),
        package_lock=Kept(),
        controls=CONTROLS,
        controls_untaken=["threads is 2, wanted 1"],
    )
    return record


def complete(record):
    return record.complete(
        outcome=OUTCOME,
        trace=TRACE,
        metrics={"split": "test", "loss": 0.5},
        selection={"epoch": 0},
        tally={"ops_without_deterministic_kernel": {"put_": 2}},
    )


def stop(record, status, error=None):
    return record.stop(status, error, trace=TRACE, tally=TALLY)


def test_inputs_and_a_running_manifest_are_written_first(record, config):
    manifest = load_manifest(record.directory)
    assert is_sealed(manifest)
    assert manifest["status"] == "running"
    assert manifest["recipe_digest"] == digest_recipe(manifest["recipe"])
    assert manifest["environment_digest"] == digest_environment(ENVIRONMENT_FACTS, Level.STRICT)
    assert manifest["controls"] == CONTROLS
    assert manifest["controls_untaken"] == ["threads is 2, wanted 1"]
    assert manifest["libraries"] == {"torch": "2.9"}
    assert manifest["seeds"] == {"root": 7, "generator": GENERATOR, "purposes": PURPOSES}
    assert load_config(record.directory / CONFIG) == config
    assert load_data_lock(record.directory / DATA_LOCK) == LOCK
    assert json.loads((record.directory / ENVIRONMENT).read_bytes()) == ENVIRONMENT_FACTS


def test_a_completed_run_is_sealed_with_its_outcome_and_files(record):
    record.append_metrics({"epoch": 0, "train_loss": 0.5})
    manifest = complete(record)
    assert manifest == load_manifest(record.directory)
    assert is_sealed(manifest)
    assert manifest["status"] == "completed"
    assert manifest["outcome_digest"] == digest_json(OUTCOME)
    assert manifest["trace_digest"] == digest_json(TRACE)
    assert manifest["files"] == digest_files(record.directory)
    assert set(manifest["files"]) == {CONFIG, ENVIRONMENT, DATA_LOCK, METRICS}
    assert manifest["ops_without_deterministic_kernel"] == {"put_": 2}
    assert manifest["volatile"]["duration_s"] >= 0


def test_equal_runs_have_equal_manifests_but_for_what_is_volatile(record, config, tmp_path):
    other = RunRecord(directory=tmp_path / "somebody" / "runs" / "two")
    other.directory.mkdir()
    other.begin(
        config=config,
        lock=LOCK,
        recipe=derive_recipe(config, LOCK, None),
        weights_origin=None,
        environment=ENVIRONMENT_FACTS,
        patch=Kept(),
        package_lock=Kept(),
        controls=CONTROLS,
        controls_untaken=["threads is 2, wanted 1"],
    )
    left, right = (
        {
            name: value
            for name, value in complete(found).items()
            if name not in ("volatile", "manifest_digest")
        }
        for found in (record, other)
    )
    assert left == right


def test_epochs_are_one_line_each(record):
    record.append_metrics({"epoch": 0, "train_loss": 0.5, "val": None})
    record.append_metrics({"epoch": 1, "train_loss": 0.25, "val": None})
    assert (record.directory / METRICS).read_bytes() == (
        b'{"epoch":0,"train_loss":0.5,"val":null}\n{"epoch":1,"train_loss":0.25,"val":null}\n'
    )


def test_a_run_that_failed_says_why_and_where(record):
    error = TrainingError("the loss is nan", where="step 3, epoch 0", hint="lower train.lr")
    manifest = stop(record, "failed", error)
    assert is_sealed(manifest)
    assert manifest["status"] == "failed"
    assert manifest["failure"] == {"problem": "the loss is nan", "at": "step 3, epoch 0"}
    assert manifest["trace"] == TRACE
    assert manifest["trace_digest"] == digest_json(TRACE)
    assert manifest["ops_without_deterministic_kernel"] == {"put_": 1}
    assert manifest["files"] == digest_files(record.directory)
    assert "outcome" not in manifest


def test_of_a_fault_that_is_not_ours_only_the_kind_is_kept(record):
    manifest = stop(record, "failed", OSError("cannot open /home/jane/x"))
    assert manifest["failure"] == {"problem": "OSError", "at": "unknown"}


def test_a_run_that_could_not_begin_leaves_nothing(record):
    record.discard()
    assert not record.directory.exists()


def test_a_directory_that_holds_something_else_is_kept(record):
    (record.directory / "notes.txt").touch()
    record.discard()
    assert [path.name for path in record.directory.iterdir()] == ["notes.txt"]


def test_a_run_that_was_interrupted_has_no_failure(record):
    manifest = stop(record, "interrupted")
    assert manifest["status"] == "interrupted"
    assert "failure" not in manifest


@pytest.mark.parametrize("folder", ["home/jane", "home/Jane Doe"])
def test_no_directory_of_the_machine_is_in_the_manifest(record, tmp_path, folder):
    place = tmp_path / folder / "data" / "a.png"
    error = DataError("an image changed", where=str(place), hint="x")
    manifest = stop(record, "failed", error)
    text = json.dumps(manifest)
    assert "a.png" in manifest["failure"]["at"]
    assert str(tmp_path) not in text
    assert "somebody" not in text
    assert "jane" not in text.lower()


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("/home/jane", "a path outside the run"),
        ("~jane/x", "a path outside the run"),
        ("C:\\Users\\jane", "a path outside the run"),
        ("/home/jane/a.png, step 3", "a.png, step 3"),
        ("cannot read '/home/jane/b c.png': gone", "cannot read 'b c.png': gone"),
        ("step 3, epoch 1, and/or 1/2", "step 3, epoch 1, and/or 1/2"),
        ("RUN/checkpoints/step-1.json", "checkpoints/step-1.json"),
        ("RUN", "the run directory"),
    ],
)
def test_of_a_path_only_a_files_name_is_kept(record, said, kept):
    said = said.replace("RUN", str(record.directory))
    manifest = stop(record, "failed", DataError(said, where=said, hint="x"))
    assert manifest["failure"] == {"problem": kept, "at": kept}


def test_a_run_that_goes_on_keeps_its_inputs_and_notes_the_stop(record):
    begun = load_manifest(record.directory)
    stopped = stop(record, "interrupted")
    again = RunRecord(directory=record.directory)
    again.go_on(stopped, next_step=2)
    manifest = load_manifest(record.directory)
    assert is_sealed(manifest)
    assert manifest["status"] == "running"
    assert not (stopped.keys() - begun.keys()) & manifest.keys()
    unchanged = begun.keys() - {"volatile", "manifest_digest"}
    assert {name: manifest[name] for name in unchanged} == {name: begun[name] for name in unchanged}
    [noted] = manifest["volatile"]["interruptions"]
    assert (noted["status"], noted["next_step"]) == ("interrupted", 2)
    assert noted["stopped"] == stopped["volatile"]["finished"] <= noted["resumed"]
    assert manifest["volatile"] == {**begun["volatile"], "interruptions": [noted]}
    assert complete(again)["status"] == "completed"


def test_when_a_run_was_killed_stands_in_no_record(record):
    for _ in range(2):
        record.go_on(load_manifest(record.directory), next_step=0)
    stops = complete(record)["volatile"]["interruptions"]
    assert [(stop["status"], stop["stopped"]) for stop in stops] == [("running", None)] * 2


def test_a_clock_that_is_set_back_makes_no_time_negative(record):
    record.manifest["volatile"]["started"] = "2999-01-01T00:00:00.000+00:00"
    assert 0 <= stop(record, "interrupted")["volatile"]["duration_s"] < 600
    other = RunRecord(directory=record.directory)
    other.go_on(load_manifest(record.directory), next_step=3)
    assert stop(other, "interrupted")["volatile"]["duration_s"] == 0


def test_every_stop_is_noted(record):
    for number in range(3):
        stopped = stop(record, "interrupted")
        record.go_on(stopped, next_step=number)
    stops = complete(record)["volatile"]["interruptions"]
    assert [stop["next_step"] for stop in stops] == [0, 1, 2]


def test_the_config_is_told_apart_by_what_affects_bits_and_holds_no_path(tmp_path):
    described = describe_config(build(tmp_path, lr=0.5, checkpoint_every=3))
    assert described["recipe"]["train.lr"] == 0.5
    assert described["rest"]["train.checkpoint_every"] == 3
    assert described["rest"]["train.momentum"] == 0.9
    assert not described["recipe"].keys() & described["rest"].keys()
    assert not {"data.root", "data.cache_dir"} & {*described["recipe"], *described["rest"]}
    assert str(tmp_path) not in json.dumps(described)
