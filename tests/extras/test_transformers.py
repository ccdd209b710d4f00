"""Trainings of the real Hugging Face Trainer, recorded, compared and checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxr.records.ledger import PARTS, read_ledger
from cxr.records.tensor_digests import read_tensor_digests
from support.examples import diff_records, record_all, run_script
from support.program import read_manifest, run_cxr

pytestmark = pytest.mark.extras

EXAMPLE = "examples/transformers_training.py"


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> dict[str, Path]:
    """The example five times, each in a process of its own."""
    return record_all(
        EXAMPLE,
        tmp_path_factory.mktemp("transformers"),
        {
            "plain": [],
            "workers": ["--workers", "2"],
            "fault": ["--fault-at", "5"],
            "rate": ["--lr", "2e-3"],
            "accumulated": ["--accumulate", "2"],
        },
    )


@pytest.fixture(scope="module")
def others(tmp_path_factory) -> Path:
    """Trainings unlike the example, the last of which fails."""
    place = tmp_path_factory.mktemp("others")
    finished = run_script("tests/support/transformers_loops.py", place)
    assert finished.returncode == 1
    assert "of somebody" in finished.stderr
    return place


def test_workers_that_draw_nothing_change_nothing(records):
    a, b = records["plain"], records["workers"]
    assert (a / "ledger.jsonl").read_bytes() == (b / "ledger.jsonl").read_bytes()
    answer = diff_records(a, b, code=0)
    found = [(one["field"], one["a"], one["b"]) for one in answer["differences"]]
    assert (answer["verdict"], found) == ("identical", [("loader.num_workers", 0, 2)])


def test_each_step_has_every_part_but_the_buffers_that_there_are_not(records):
    initial, *steps = read_ledger(records["plain"])
    assert [(step.step, step.epoch) for step in steps] == [(n, n // 8) for n in range(16)]
    wanted = tuple(part for part in PARTS[:-1] if part != "buffers")
    assert all(tuple(step.parts) == wanted for step in steps)
    assert set(initial.parts) >= {"parameters"}
    names = set(read_tensor_digests(records["plain"], 3))
    assert {"batch/pixel_values", "batch/labels", "samples/indices", "loss/loss"} <= names


def test_a_planted_fault_is_found_at_its_step_and_tensor(records):
    answer = diff_records(records["plain"], records["fault"], code=1)
    assert answer["first_divergence"] == {
        "step": 5,
        "epoch": 0,
        "what": "gradients",
        "tensor": "classifier.weight",
    }
    assert answer["differences"] == []


def test_another_learning_rate_is_named_by_its_path_and_acts_in_the_optimizer(records):
    answer = diff_records(records["plain"], records["rate"], code=1)
    parted = answer["first_divergence"]
    assert (parted["step"], parted["what"], parted["tensor"]) == (0, "optimizer", "lr")
    assert "trainer.learning_rate" in {one["field"] for one in answer["differences"]}
    assert answer["metrics"]["train_loss"]["difference"] != 0


def test_the_record_verifies_and_says_what_it_was(records):
    assert run_cxr("verify", records["plain"]).returncode == 0
    manifest = read_manifest(records["plain"])
    assert (manifest["status"], manifest["framework"]["name"]) == ("completed", "transformers")
    assert manifest["not_recorded"] == {}
    assert manifest["recipe"]["seed"] is None
    assert not [name for name in manifest["metrics"] if "second" in name or "runtime" in name]
    config = manifest["config"]["recipe"]
    assert (config["trainer.seed"], config["optimizer.0.class"]) == (42, "AdamW")
    assert config["loader.sampler"] != "SequentialSampler"
    assert not [name for name in config if "output_dir" in name]


def test_batches_whose_gradients_are_added_are_one_step(records):
    assert read_manifest(records["accumulated"])["trace"]["steps"] == 8
    names = set(read_tensor_digests(records["accumulated"], 0))
    assert {"batch/labels", "batch/1.labels", "samples/1.indices", "loss/1.loss"} <= names


def test_what_the_framework_does_not_show_is_said(others):
    manifest = read_manifest(others / "streamed")
    assert set(manifest["not_recorded"]) == {"samples", "loss"}
    names = set(read_tensor_digests(others / "streamed", 0))
    # A second call of the network on the same batch is no other batch.
    assert {name for name in names if name.startswith("batch/")} == {"batch/x", "batch/1.x"}
    assert {name for name in names if name.startswith("samples/")} == {
        "samples/size",
        "samples/1.size",
    }


def test_a_record_that_nobody_closed_is_sealed_when_the_program_ends(others):
    manifest = read_manifest(others / "failed")
    assert (manifest["status"], manifest["trace"]["steps"]) == ("failed", 1)
    assert manifest["failure"] == {"problem": "RuntimeError", "at": "unknown"}
    assert run_cxr("verify", others / "failed").returncode == 0
