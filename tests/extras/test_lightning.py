"""Trainings of the real Lightning, recorded, compared and checked."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

import pytest

from cxr.records.ledger import PARTS, read_ledger
from cxr.records.tensor_digests import read_tensor_digests
from support.examples import build_script_command, diff_records, record_all, run_script
from support.program import build_environment, read_manifest, run_cxr, wait_until

pytestmark = pytest.mark.extras

EXAMPLE = "examples/lightning_training.py"


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> dict[str, Path]:
    """The example five times, each in a process of its own."""
    return record_all(
        EXAMPLE,
        tmp_path_factory.mktemp("lightning"),
        {
            "plain": [],
            "again": [],
            "fault": ["--fault-at", "11"],
            "one-worker": ["--workers", "1"],
            "two-workers": ["--workers", "2"],
        },
    )


@pytest.fixture(scope="module")
def others(tmp_path_factory) -> Path:
    """Trainings of `pytorch_lightning` that are unlike the example."""
    place = tmp_path_factory.mktemp("others")
    finished = run_script("tests/support/lightning_loops.py", place)
    assert finished.returncode == 0, finished.stderr
    return place


def test_two_processes_give_one_ledger(records):
    a, b = records["plain"], records["again"]
    assert (a / "ledger.jsonl").read_bytes() == (b / "ledger.jsonl").read_bytes()
    answer = diff_records(a, b, code=0)
    assert (answer["verdict"], answer["differences"]) == ("identical", [])


def test_each_step_has_every_part(records):
    initial, *steps = read_ledger(records["plain"])
    assert [step.step for step in steps] == list(range(16))
    assert [step.epoch for step in steps] == [0] * 8 + [1] * 8
    assert all(tuple(step.parts) == PARTS[:-1] for step in steps)
    assert set(initial.parts) == {"buffers", "parameters"}


def test_a_planted_fault_is_found_at_its_step_and_tensor(records):
    answer = diff_records(records["plain"], records["fault"], code=1)
    assert answer["first_divergence"] == {
        "step": 11,
        "epoch": 1,
        "what": "gradients",
        "tensor": "network.0.weight",
    }
    assert answer["differences"] == []


def test_another_number_of_workers_parts_at_a_batch_of_the_same_samples(records):
    a, b = records["one-worker"], records["two-workers"]
    answer = diff_records(a, b, code=1)
    parted = answer["first_divergence"]
    # The first worker loads the first batch in both; the second batch has another worker.
    assert (parted["step"], parted["what"], parted["tensor"]) == (1, "batch", "0")
    found = [(one["part"], one["field"], one["a"], one["b"]) for one in answer["differences"]]
    assert found == [("config", "loader.num_workers", 1, 2)]
    assert answer["note"].startswith("the same samples, loaded otherwise")
    steps = [list(read_ledger(run))[2] for run in (a, b)]
    assert steps[0].parts["samples"] == steps[1].parts["samples"]
    assert steps[0].parts["random"] == steps[1].parts["random"]


def test_without_workers_the_main_generator_is_the_one_that_is_drawn_from(records):
    answer = diff_records(records["plain"], records["two-workers"], code=1)
    parted = answer["first_divergence"]
    assert (parted["step"], parted["what"], parted["tensor"]) == (0, "random", "torch")


def test_the_record_verifies_and_says_what_it_was(records):
    finished = run_cxr("verify", records["plain"])
    assert finished.returncode == 0, finished.stdout
    manifest = read_manifest(records["plain"])
    assert (manifest["status"], manifest["framework"]["name"]) == ("completed", "lightning")
    assert manifest["recipe"]["seed"] == 42
    assert manifest["libraries"]["lightning"] == manifest["framework"]["version"]
    assert manifest["controls"]["torch.deterministic_algorithms"] is True
    assert any("PYTHONHASHSEED" in line for line in manifest["controls_unlike_strict"])
    assert manifest["not_recorded"] == {}
    assert set(manifest["metrics"]) == {"train_loss"}
    config = json.loads((records["plain"] / "config.json").read_bytes())
    assert (config["hparams.lr"], config["loader.sampler"]) == (0.01, "RandomSampler")
    assert config["optimizer.0.class"] == "AdamW"


def test_batches_whose_gradients_are_added_are_one_step(others):
    initial, *steps = read_ledger(others / "accumulated")
    assert (initial.step, len(steps)) == (-1, 3)
    tensors = read_tensor_digests(others / "accumulated", 0)
    assert {"batch/x", "batch/1.x", "samples/indices", "samples/1.indices"} <= set(tensors)
    assert {"loss/loss", "loss/1.loss"} <= set(tensors)
    # Five batches by two: the last step has one.
    assert "batch/1.x" not in read_tensor_digests(others / "accumulated", 2)


def test_several_optimizers_are_told_apart(others):
    steps = [record for record in read_ledger(others / "pair") if record.step >= 0]
    assert len(steps) == 5
    names = set(read_tensor_digests(others / "pair", 0))
    assert {"gradients/one.weight", "gradients/1.two.weight"} <= names
    assert {"optimizer/lr", "optimizer/1.two.weight.exp_avg"} <= names
    assert read_manifest(others / "pair")["not_recorded"] == {
        "loss": "the framework does not show it"
    }


def test_precision_framework_and_secrets_stand_in_the_record_as_they_should(others):
    manifest = read_manifest(others / "mixed")
    config = manifest["config"]["recipe"]
    assert config["trainer.precision"] == "bf16-mixed"
    assert (config["hparams.api_token"], config["note"]) == ("not_recorded", "extra")
    assert manifest["framework"]["name"] == "pytorch_lightning"


def test_a_training_that_fails_says_so_and_repeats_no_message(others):
    manifest = read_manifest(others / "failed")
    assert (manifest["status"], manifest["trace"]["steps"]) == ("failed", 3)
    assert manifest["failure"] == {"problem": "RuntimeError", "at": "unknown"}
    assert run_cxr("verify", others / "failed").returncode == 0


def test_a_taken_directory_and_several_processes_are_refused_by_name(others):
    assert "already exists and is not empty" in (others / "refused.txt").read_text()
    assert "2 processes train together" in (others / "parallel.txt").read_text()


def test_ctrl_c_leaves_an_interrupted_record(tmp_path):
    run = tmp_path / "run"
    command = build_script_command(EXAMPLE, "--out", run, "--epochs", "100000")
    with subprocess.Popen(
        command, env=build_environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        ledger = run / "ledger.jsonl"
        wait_until(lambda: ledger.exists() and ledger.stat().st_size > 0, process)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert read_manifest(run)["status"] == "interrupted"
    assert run_cxr("verify", run).returncode == 0
