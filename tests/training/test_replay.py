"""``diff --replay`` names the op that differs, ``diff --bisect`` the input that makes it differ."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import safetensors.numpy

from cxr.records.manifest import write_manifest
from support.program import DEADLINE_S, read_answer, read_error, run_cxr, started_cxr
from support.recipes import STEPS, Recipe, images, vectors
from support.runs import FinishedRuns, Run, copy_run


def ask(a: Path | Run, b: Path | Run, *options: str) -> dict[str, Any]:
    """Return the answer of ``diff`` for two runs that differ."""
    places = [run.directory if isinstance(run, Run) else run for run in (a, b)]
    finished = run_cxr("diff", *places, "--json", *options)
    assert finished.returncode == 1, finished.stderr
    answer: dict[str, Any] = read_answer(finished)
    return answer


def test_another_number_of_threads_shows_in_an_op_and_is_the_cause(
    finished_run: FinishedRuns, radiographs: Path
):
    recipe = convolutions(radiographs)
    a, b = (finished_run({**recipe, "threads": threads}) for threads in (1, 2))
    answer = ask(a, b, "--replay", "--bisect")
    [difference] = answer["differences"]
    assert (difference["field"], difference["cause"]) == ("threads", True)
    assert answer["bisect"] == {
        "tried": 1,
        "causes": ["threads"],
        "not_exchanged": [],
        "note": None,
    }
    replay = answer["replay"]
    assert (replay["a"]["reproduced"], replay["b"]["reproduced"]) == (True, True)
    op = replay["op"]
    assert op["op"].startswith("aten.")
    assert op["module"]
    assert 0 < op["size"]["differing"] <= op["size"]["elements"]
    # The order of a sum changes its last bits, not its value.
    assert 0 < op["size"]["largest_difference"] < 1e-3


def test_the_cause_is_found_among_fields_that_make_no_difference(finished_run: FinishedRuns):
    a = finished_run(vectors())
    b = finished_run(vectors(evaluate__batch_size=7, train__lr=2e-3, train__min_lr=0.0))
    answer = ask(a, b, "--bisect")
    causes = {found["field"]: found["cause"] for found in answer["differences"]}
    # The other one is ruled out if it was tried, and else nothing is said of it.
    assert causes["train.lr"] is True
    assert causes["evaluate.batch_size"] is not True
    assert answer["replay"] is None


def test_what_the_optimizer_wrote_is_named_by_its_parameter(finished_run: FinishedRuns):
    answer = ask(finished_run(vectors()), finished_run(vectors(train__lr=2e-3)), "--replay")
    op = answer["replay"]["op"]
    assert op["op"].startswith("aten._fused_adamw_")
    assert op["tensor"] == "backbone.1.weight"
    assert op["size"]["differing"] > 0


def test_two_causes_are_found_together(finished_run: FinishedRuns):
    a = finished_run(vectors())
    b = finished_run(vectors(train__lr=2e-3, train__weight_decay=0.5, evaluate__batch_size=7))
    answer = ask(a, b, "--bisect")
    assert sorted(answer["bisect"]["causes"]) == ["train.lr", "train.weight_decay"]
    causes = {found["field"]: found["cause"] for found in answer["differences"]}
    assert causes == {
        "train.lr": True,
        "train.weight_decay": True,
        "evaluate.batch_size": False,
    }


def test_a_step_of_a_later_epoch_is_replayed_from_its_checkpoint(
    finished_run: FinishedRuns,
):
    usual = finished_run(vectors(train__keep_checkpoints=9))
    faulty = finished_run(vectors(train__keep_checkpoints=9), fault="gradient-noise:5")
    answer = ask(usual, faulty, "--replay", "--bisect")
    assert answer["first_divergence"]["step"] == 5
    replay = answer["replay"]
    assert (replay["a"]["reproduced"], replay["a"]["begun_at"]) == (True, 3)
    # The fault is not there when it is run again: that run does not repeat, and is named.
    assert (replay["b"]["reproduced"], replay["b"]["left_at"]) == (False, 5)
    assert replay["op"] is None
    assert replay["note"] == "run b leaves its own ledger at step 5 (gradients)"
    assert (answer["bisect"]["tried"], answer["bisect"]["causes"]) == (0, [])


def test_a_run_that_does_not_repeat_has_no_cause_that_could_be_found(
    finished_run: FinishedRuns,
):
    faulty = finished_run(vectors(), fault="gradient-noise:2")
    usual = finished_run(vectors(evaluate__batch_size=7))
    answer = ask(faulty, usual, "--bisect")
    assert answer["bisect"]["causes"] == []
    assert answer["bisect"]["note"] == (
        "run a does not repeat here: it leaves its own ledger at step 2 (gradients)"
    )
    assert [found["cause"] for found in answer["differences"]] == [None]


def test_fields_that_do_not_go_together_alone_are_found_together(finished_run: FinishedRuns):
    a = finished_run(vectors())
    b = finished_run(vectors(train__batch_size=15, train__shards=3, evaluate__batch_size=7))
    answer = ask(a, b, "--bisect")
    assert sorted(answer["bisect"]["causes"]) == ["train.batch_size", "train.shards"]


def test_a_run_that_is_done_earlier_is_said_to_be_so(finished_run: FinishedRuns):
    answer = ask(finished_run(vectors()), finished_run(vectors(train__epochs=1)), "--bisect")
    assert answer["bisect"]["tried"] == 0
    assert answer["bisect"]["note"].startswith("one run is done where the other goes on")


def test_the_choice_of_other_weights_is_no_ops_work(finished_run: FinishedRuns):
    recipe = vectors(train__lr=0.5, train__epochs=4, train__monitor="loss")
    a = finished_run(recipe)
    b = finished_run({**recipe, "train": {**recipe["train"], "keep_weights": "last"}})
    epochs = [run.manifest["selection"]["weights_epoch"] for run in (a, b)]
    assert epochs[0] != epochs[1]
    answer = ask(a, b, "--replay", "--bisect")
    assert answer["first_divergence"]["what"] == "predictions"
    said = f"the weights of another epoch were chosen: {epochs[0]} in a, {epochs[1]} in b"
    assert answer["replay"]["note"].startswith(said)
    assert answer["bisect"]["note"].startswith(said)
    assert {found["cause"] for found in answer["differences"]} == {None}


def test_an_edited_config_is_named_and_not_replayed(finished_run: FinishedRuns, tmp_path: Path):
    a = copy_run(finished_run(vectors(train__lr=2e-3)), tmp_path / "edited")
    text = (a / "config.yaml").read_text()
    (a / "config.yaml").write_text(text.replace("lr: 0.002", "lr: 0.001"))
    b = finished_run(vectors()).directory
    problem, where, _ = read_error(run_cxr("diff", a, b, "--replay"), code=3)
    assert problem == "the config is not the one that the run was trained with"
    assert where == str(a / "config.yaml")


def test_a_checkpoint_behind_which_the_runs_parted_leaves_the_initial_state_as_it_was(
    finished_run: FinishedRuns, tmp_path: Path
):
    run = finished_run(vectors(train__keep_checkpoints=9))
    against = finished_run(vectors(train__keep_checkpoints=9), fault="gradient-noise:1")
    found = replay(tmp_path, run.directory, 4, "--against", against.directory)
    assert (found["begun_at"], found["left_at"], found["left_in"]) == (-1, 1, "gradients")


@pytest.mark.parametrize("ending", ["completed", "interrupted"])
def test_predictions_are_replayed_with_the_weights_of_the_outcome_alone(
    finished_run: FinishedRuns, tmp_path: Path, ending: str
):
    run = copy_run(finished_run(vectors()), tmp_path / "run")
    assert replay(tmp_path, run, STEPS)["left_at"] is None
    if ending == "completed":
        tensors = safetensors.numpy.load_file(run / "model.safetensors")
        changed = {name: value * 2 for name, value in tensors.items()}
        safetensors.numpy.save_file(changed, run / "model.safetensors")
        wanted = "the weights are not those of the run's outcome"
    else:
        manifest = json.loads((run / "manifest.json").read_bytes())
        kept = {name: manifest[name] for name in manifest if not name.startswith("outcome")}
        write_manifest(run, {**kept, "status": ending})
        wanted = "the run did not complete"
    answer = tmp_path / "answer.json"
    finished = run_cxr("replay", run, "--step", STEPS, "--answer", answer)
    problem, _, _ = read_error(finished, code=3)
    assert problem.startswith(wanted)


def replay(tmp_path: Path, run: Path, step: int, *options: str | Path) -> dict[str, Any]:
    """Return the answer of a replay of one step."""
    answer = tmp_path / "answer.json"
    finished = run_cxr("replay", run, "--step", step, "--answer", answer, *options)
    assert finished.returncode == 0, finished.stderr
    found: dict[str, Any] = json.loads(answer.read_bytes())
    return found


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_a_replay_and_its_process(finished_run: FinishedRuns, name: str):
    a, b = finished_run(vectors()), finished_run(vectors(train__lr=2e-3))
    with started_cxr("diff", a.directory, b.directory, "--replay") as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "replaying step 0 of run a\n"
        time.sleep(1.0)  # in the middle of the other process's start
        process.send_signal(getattr(signal, name))
        out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, out) == (130, "")
    assert err.startswith(f"error: stopped by {name}\n  where: running a step again\n  do: ")


def test_another_seed_is_found_in_the_initial_state(finished_run: FinishedRuns):
    answer = ask(finished_run(vectors()), finished_run(vectors(seed=2)), "--replay", "--bisect")
    assert answer["first_divergence"]["step"] == -1
    assert answer["bisect"]["causes"] == ["seed"]


def test_other_pixels_are_the_cause_and_no_op_is(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    root = shutil.copytree(radiographs, tmp_path / "changed")
    first, second, *_ = sorted((root / "train" / "NORMAL").iterdir())
    shutil.copy(second, first)
    a, b = finished_run(images(radiographs)), finished_run(images(root))
    answer = ask(a, b, "--replay", "--bisect")
    assert answer["bisect"]["causes"] == ["the data"]
    assert answer["replay"]["note"].startswith("other pixels or labels reached the step")


def test_an_instruction_set_is_exchanged_through_its_variable(finished_run: FinishedRuns):
    a = finished_run(vectors())
    b = finished_run(vectors(), env={"ATEN_CPU_CAPABILITY": "default"})
    finished = run_cxr("diff", a.directory, b.directory, "--json", "--bisect")
    answer = read_answer(finished)
    # Where a machine has one instruction set only, nothing differs and nothing is tried.
    causes = answer["bisect"] and answer["bisect"]["causes"]
    assert causes == (None if a.digests == b.digests else ["ATEN_CPU_CAPABILITY"])


def test_a_run_whose_data_are_gone_cannot_be_replayed(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    a = finished_run(images(radiographs))
    b = copy_run(finished_run(images(radiographs, train__lr=2e-3)), tmp_path / "deep" / "moved")
    problem, where, _ = read_error(run_cxr("diff", a.directory, b, "--replay"), code=3)
    assert problem == "the run or its data set was moved: the data is not there"
    assert "radiographs" in where
    found = ask(a, b, "--replay", "--data-b", str(radiographs))
    assert found["replay"]["b"]["reproduced"]


def test_markdown_says_the_same(finished_run: FinishedRuns):
    a, b = finished_run(vectors()), finished_run(vectors(seed=2))
    finished = run_cxr("diff", a.directory, b.directory, "--markdown", "--bisect")
    assert finished.returncode == 1
    lines = finished.stdout.splitlines()
    assert lines[0] == "## different"
    assert "- first divergence: the initial state, random (python)" in lines
    assert "- cause: seed (1 try)" in lines
    assert "| part | field | a | b | bits | cause |" in lines
    assert "| `config` | `seed` | `1` | `2` | `yes` | `yes` |" in lines


def convolutions(radiographs: Path) -> Recipe:
    """A network whose convolutions sum in another order with another number of threads."""
    return images(radiographs, model__name="test_resnet", train__shards=1)
