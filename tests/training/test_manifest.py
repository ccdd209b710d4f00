"""What a run leaves: every file, every key, every digest, and nobody's name."""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from support.places import PLANTED, elsewhere
from support.program import read_answer
from support.recipes import STEPS, images, vectors
from support.runs import FinishedRuns

FILES = {
    "config.yaml",
    "data.lock.json",
    "uv.lock",
    "env.json",
    "ledger.jsonl",
    "tensors.bin",
    "metrics.jsonl",
    "predictions.csv",
    "validation_predictions.csv",
    "model.safetensors",
    "checkpoints/step-000000003.json",
    "checkpoints/step-000000003.safetensors",
    "checkpoints/step-000000006.json",
    "checkpoints/step-000000006.safetensors",
}

PATCH = "code.patch"
"""There if the sources under test have uncommitted changes."""

PARTS = ["samples", "random", "batch", "buffers", "loss", "gradients", "optimizer", "parameters"]


@pytest.fixture(scope="module")
def manifest(finished_run: FinishedRuns, radiographs: Path) -> dict[str, Any]:
    return finished_run(images(radiographs)).manifest


def test_a_run_directory_holds_what_the_format_says(finished_run: FinishedRuns, radiographs: Path):
    run = finished_run(images(radiographs))
    found = {
        path.relative_to(run.directory).as_posix()
        for path in run.directory.rglob("*")
        if path.is_file()
    }
    assert found - {PATCH} == FILES | {"manifest.json"}


def test_every_file_is_named_with_its_digest(finished_run: FinishedRuns, radiographs: Path):
    run = finished_run(images(radiographs))
    patch = {PATCH} & run.manifest["files"].keys()
    assert run.manifest["files"] == {
        name: sha256((run.directory / name).read_bytes()) for name in FILES | patch
    }


def test_the_manifest_is_canonical_json_with_every_key(
    finished_run: FinishedRuns, radiographs: Path, manifest: dict[str, Any]
):
    run = finished_run(images(radiographs))
    assert (run.directory / "manifest.json").read_bytes() == canonical(manifest) + b"\n"
    assert manifest.keys() >= {
        "schema",
        "recipe",
        "recipe_digest",
        "outcome",
        "outcome_digest",
        "trace",
        "trace_digest",
        "metrics",
        "environment_digest",
        "controls",
        "libraries",
        "seeds",
        "files",
        "volatile",
        "manifest_digest",
    }
    assert manifest["recipe"].keys() == {
        "config_digest",
        "data_digest",
        "code_digest",
        "weights_in",
        "seed",
        "determinism",
    }
    assert manifest["outcome"].keys() == {"weights_digest", "predictions_digest"}
    assert manifest["trace"].keys() == {"ledger_head", "steps"}
    assert (manifest["status"], manifest["trace"]["steps"]) == ("completed", STEPS)
    assert (manifest["recipe"]["seed"], manifest["recipe"]["determinism"]) == (1, "strict")
    assert manifest["recipe"]["weights_in"] is None


def test_each_digest_is_that_of_what_it_names(
    finished_run: FinishedRuns, radiographs: Path, manifest: dict[str, Any]
):
    run = finished_run(images(radiographs))
    for part in ("recipe", "outcome", "trace"):
        assert manifest[f"{part}_digest"] == sha256(canonical(manifest[part]))
    sealed = {key: value for key, value in manifest.items() if key != "manifest_digest"}
    assert manifest["manifest_digest"] == sha256(canonical(sealed))
    predictions = (run.directory / "predictions.csv").read_bytes()
    assert manifest["outcome"]["predictions_digest"] == sha256(predictions)
    assert manifest["trace"]["ledger_head"] == run.ledger[-1]["chain"]
    assert read_answer(run.process)["outcome_digest"] == manifest["outcome_digest"]


def test_the_data_digest_is_over_path_content_label_and_split(
    finished_run: FinishedRuns, radiographs: Path, manifest: dict[str, Any]
):
    run = finished_run(images(radiographs))
    lock = json.loads((run.directory / "data.lock.json").read_bytes())
    assert len(lock["samples"]) == 28
    for sample in lock["samples"]:
        content = (radiographs / sample["path"]).read_bytes()
        assert (sample["sha256"], sample["bytes"]) == (sha256(content), len(content))
        split, label, _ = sample["path"].split("/")
        assert (sample["split"], sample["label"]) == (split, label)
    rows = sorted([s["path"], s["sha256"], s["label"], s["split"]] for s in lock["samples"])
    named = {"classes": ["NORMAL", "PNEUMONIA"], "samples": rows}
    assert manifest["recipe"]["data_digest"] == sha256(canonical(named))


def test_every_switch_is_recorded_as_read_back(manifest: dict[str, Any]):
    assert (
        manifest["controls"].items()
        >= {
            "PYTHONHASHSEED": "0",
            "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
            "NVIDIA_TF32_OVERRIDE": "0",
            "OMP_NUM_THREADS": "1",
            "hash_randomization": False,
            "torch.num_threads": 1,
            "torch.num_interop_threads": 1,
            "torch.deterministic_algorithms": True,
            "torch.deterministic_warn_only": False,
            "torch.fill_uninitialized_memory": False,
            "torch.float32_matmul_precision": "highest",
            "torch.default_dtype": "float32",
            "cudnn.deterministic": True,
            "cudnn.benchmark": False,
            "cudnn.allow_tf32": False,
            "cuda.matmul.allow_tf32": False,
        }.items()
    )
    assert manifest["controls"]["OMP_THREAD_LIMIT"] is None
    assert "ATEN_CPU_CAPABILITY" not in manifest["controls"]


def test_libraries_and_seeds_are_recorded(manifest: dict[str, Any]):
    for name in ("torch", "timm", "numpy", "pillow"):
        assert manifest["libraries"][name] == version(name)
    assert manifest["seeds"]["root"] == 1
    assert manifest["seeds"]["generator"] == "threefry2x32-20"
    assert {"init", "order", "augment", "step"} <= manifest["seeds"]["purposes"].keys()


def test_figures_are_those_of_the_predictions(
    finished_run: FinishedRuns, radiographs: Path, manifest: dict[str, Any]
):
    run = finished_run(images(radiographs))
    header, *rows = (
        line.split(",") for line in (run.directory / "predictions.csv").read_text().splitlines()
    )
    assert header[:3] == ["path", "label", "decision"]
    assert [row[0] for row in rows] == sorted(
        (path.relative_to(radiographs).as_posix() for path in (radiographs / "test").rglob("*.*")),
        key=lambda path: path.rpartition("/")[2],
    )
    right = sum(label == decision for _, label, decision, *_ in rows)
    assert manifest["metrics"]["accuracy"] == right / len(rows)
    assert (manifest["metrics"]["split"], manifest["metrics"]["num_images"]) == ("test", 8)


def test_the_ledger_has_every_part_of_every_step_in_order(
    finished_run: FinishedRuns, radiographs: Path
):
    first, *steps, last = finished_run(images(radiographs)).ledger
    assert (first["step"], last["step"]) == (-1, STEPS)
    assert [(line["step"], line["epoch"]) for line in steps] == [
        (step, step // 3) for step in range(STEPS)
    ]
    for line in steps:
        assert line.keys() == {*PARTS, "step", "epoch", "chain"}
    assert "predictions" in last


def test_weights_files_have_one_metadata_key_at_most(finished_run: FinishedRuns, radiographs: Path):
    files = list(finished_run(images(radiographs)).directory.rglob("*.safetensors"))
    assert len(files) == 3
    for file in files:
        content = file.read_bytes()
        size = int.from_bytes(content[:8], "little")
        assert len(json.loads(content[8 : 8 + size]).get("__metadata__", {})) <= 1


def test_no_record_names_a_machine_a_person_or_a_home(
    finished_run: FinishedRuns, shared_directory: Path
):
    run = finished_run(vectors(), **elsewhere(shared_directory))
    planted = [*PLANTED, str(shared_directory), sys.prefix, str(Path(__file__).parents[2])]
    for file in run.directory.rglob("*"):
        content = file.read_bytes() if file.is_file() else b""
        assert [name for name in planted if name.encode() in content] == [], file.name


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode("ascii")


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
