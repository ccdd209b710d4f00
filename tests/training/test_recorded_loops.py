"""A loop that cxr does not own, recorded in processes of its own, compared and checked."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from cxr.digests.canonical import canonical_json, digest_json
from cxr.records.manifest import write_manifest
from support.examples import build_script_command, run_script
from support.program import (
    build_environment,
    read_answer,
    read_error,
    read_manifest,
    run_cxr,
    wait_until,
)
from support.runs import HEAVY

LOOP = "tests/support/plain_loop.py"


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """Record the loop with a fault, once each, in a process of its own."""
    place = tmp_path_factory.mktemp("loops")

    def make(name: str, fault: str = "", *, code: int = 0) -> Path:
        run = place / name
        if not run.exists():
            finished = run_script(LOOP, run, *filter(None, [fault]))
            assert finished.returncode == code, finished.stderr
        return run

    return make


def test_two_processes_give_one_ledger_and_the_comparison_needs_no_torch(record):
    a, b = record("plain"), record("again")
    assert (a / "ledger.jsonl").read_bytes() == (b / "ledger.jsonl").read_bytes()
    finished = run_cxr("diff", a, b, "--json", blocked=HEAVY)
    assert (finished.returncode, read_answer(finished)["verdict"]) == (0, "identical")
    finished = run_cxr("verify", a, blocked=HEAVY)
    assert (finished.returncode, finished.stderr) == (0, "")


@pytest.mark.parametrize(
    ("fault", "what", "tensor"),
    [("draw:4", "random", "torch"), ("buffer:2", "buffers", "1.running_mean")],
)
def test_a_planted_fault_is_found_where_it_is(record, fault, what, tensor):
    runs = record("plain"), record(fault.replace(":", "-"), fault)
    finished = run_cxr("diff", *runs, "--json")
    answer = read_answer(finished)
    parted = answer["first_divergence"]
    assert (finished.returncode, answer["verdict"]) == (1, "different")
    assert (parted["step"], parted["what"], parted["tensor"]) == (int(fault[-1]), what, tensor)
    assert answer["differences"] == []
    # A figure has the framework's name, and none of them is passed over.
    shown = run_cxr("diff", *runs, *(["--markdown"] if what == "random" else []))
    assert (shown.returncode, "train_loss" in shown.stdout) == (1, True), shown.stderr
    # Running statistics are not used in training: of that fault the loss says nothing.
    assert (answer["metrics"]["train_loss"]["difference"] != 0) == (what == "random")


def test_the_record_says_what_it_knows_and_what_it_does_not(record):
    manifest = read_manifest(record("plain"))
    assert (manifest["schema"], manifest["status"]) == ("cxr.loop/1", "completed")
    assert manifest["framework"]["name"] == "torch"
    assert set(manifest["not_recorded"]) == {"samples"}
    assert manifest["config"]["recipe"] == {
        "api_key": "not_recorded",
        "lr": 0.1,
        "optimizer.momentum": 0.9,
    }
    assert (record("plain") / "config.json").read_bytes() == canonical_json(
        manifest["config"]["recipe"]
    ) + b"\n"


@pytest.mark.parametrize(
    ("fault", "code", "failure"),
    [("fail:3", 1, {"problem": "RuntimeError", "at": "unknown"}), ("forget:3", 0, None)],
)
def test_a_loop_that_ends_early_has_failed(record, fault, code, failure):
    run = record(fault.replace(":", "-"), fault, code=code)
    manifest = read_manifest(run)
    assert (manifest["status"], manifest["trace"]["steps"]) == ("failed", 3)
    assert manifest.get("failure") == failure
    assert run_cxr("verify", run).returncode == 0
    problem, _, _ = read_error(run_cxr("diff", record("plain"), run), code=3)
    assert problem == "no difference so far, but a run has no outcome"


def test_ctrl_c_leaves_an_interrupted_record(tmp_path):
    run = tmp_path / "run"
    command = build_script_command(LOOP, run, "hang:2")
    with subprocess.Popen(command, env=build_environment(), stderr=subprocess.DEVNULL) as process:
        ledger = run / "ledger.jsonl"
        wait_until(lambda: ledger.exists() and ledger.read_bytes().count(b"\n") == 3, process)
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    assert read_manifest(run)["status"] == "interrupted"
    assert run_cxr("verify", run).returncode == 0


def edit_consistently(manifest: dict) -> None:
    """Change a hyperparameter and every digest in the manifest that it is part of."""
    manifest["config"]["recipe"]["lr"] = 0.2
    manifest["recipe"]["config_digest"] = digest_json(manifest["config"]["recipe"])
    manifest["recipe_digest"] = digest_json(manifest["recipe"])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (edit_consistently, "config is not what config.json says"),
        (lambda m: m["config"]["recipe"].update(lr=0.2), "config_digest"),
        (lambda m: m["trace"].update(steps=5), "trace_digest"),
        (lambda m: m["code"].update(digest="sha256:0"), "code_digest"),
        (lambda m: m["libraries"].update(torch="0"), "libraries"),
        (lambda m: m["environment"].update({"os.system": "X"}), "environment_digest"),
        (lambda m: m["outcome"].update(weights_digest="sha256:0"), "outcome_digest"),
    ],
)
def test_an_edit_of_the_manifest_is_named_even_if_it_is_sealed_again(
    record, tmp_path, change, told
):
    run = copy_record(record("plain"), tmp_path / "run")
    manifest = read_manifest(run)
    change(manifest)
    write_manifest(run, manifest)
    finished = run_cxr("verify", run)
    assert finished.returncode == 1
    assert told in finished.stdout


@pytest.mark.parametrize("name", ["config.json", "env.json", "ledger.jsonl", "tensors.bin"])
def test_a_changed_byte_of_any_file_is_named(record, tmp_path, name):
    run = copy_record(record("plain"), tmp_path / "run")
    content = bytearray((run / name).read_bytes())
    content[len(content) // 2] ^= 1
    (run / name).write_bytes(content)
    finished = run_cxr("verify", run)
    assert finished.returncode == 1
    assert name in finished.stdout


def test_commands_about_runs_of_cxr_refuse_it_by_name(record):
    for command in (["evaluate"], ["report"], ["train", "--resume"]):
        problem, _, do = read_error(run_cxr(*command, record("plain")), code=3)
        assert "a training that cxr did not run itself" in problem
        assert "cxr diff" in do
    finished = run_cxr("diff", record("plain"), record("again"), "--replay")
    assert "can be run again" in read_error(finished, code=2)[0]


def copy_record(run: Path, target: Path) -> Path:
    target.mkdir()
    for file in run.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target
