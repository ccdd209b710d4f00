"""``cxr export``: a directory that timm loads without cxr, with the run's own bits."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from cxr.release.export_record import load_export_record
from cxr.release.layout import ALWAYS, ONNX
from cxr.release.verify_export import verify_export
from support.exports import find_other_files, read_recorded, run_example
from support.program import read_answer, read_error, run_cxr
from support.recipes import images
from support.runs import HEAVY, FinishedRuns, Run, copy_run

ONE_EPOCH = {"epochs": 1, "batch_size": 4}
BATCHES = {"batch_size": 3}


@dataclass(frozen=True)
class Exported:
    """An export, the run that it is of, and what the process answered."""

    directory: Path
    run: Run
    answer: dict[str, Any]
    card: str


@pytest.fixture(scope="module")
def residual(
    finished_run: FinishedRuns, radiographs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    """ResNet-18 on grey pictures that are made smaller, with ONNX and a licence."""
    place = tmp_path_factory.mktemp("residual")
    return export(train_residual(finished_run, radiographs), place / "export", "--onnx")


@pytest.fixture(scope="module")
def transformer(
    finished_run: FinishedRuns, radiographs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    """A vision transformer on colours, at a size of its own."""
    recipe = images(
        radiographs,
        model__name="test_vit",
        data__image_size=48,
        data__channels=3,
        train=ONE_EPOCH,
        evaluate=BATCHES,
    )
    place = tmp_path_factory.mktemp("transformer")
    return export(finished_run(recipe), place / "export")


def train_residual(finished_run: FinishedRuns, radiographs: Path, *, tag: str = "") -> Run:
    recipe = images(
        radiographs,
        model__name="resnet18",
        data__image_size=24,
        data__resample="bicubic",
        train=ONE_EPOCH,
        evaluate=BATCHES,
    )
    return finished_run(recipe, tag=tag)


def export(run: Run, directory: Path, *options: str | Path, **planted: str) -> Exported:
    finished = run_cxr(
        "export", run.directory, directory, "--license", "cc-by-4.0", "--json", *options, **planted
    )
    assert finished.returncode == 0, finished.stderr
    card = (directory / "README.md").read_text(encoding="utf-8")
    return Exported(directory, run, read_answer(finished), card)


def test_an_export_holds_what_it_lists_and_nothing_else(residual: Exported, transformer: Exported):
    names = {path.name for path in residual.directory.iterdir()}
    assert names == {*ALWAYS, ONNX}
    assert {path.name for path in transformer.directory.iterdir()} == {*ALWAYS}
    record = load_export_record(residual.directory)
    assert record["files"] == residual.answer["files"]
    assert record["run"]["manifest_digest"] == residual.run.manifest["manifest_digest"]
    assert verify_export(residual.directory).findings == []
    for name in ("manifest.json", "model.safetensors"):
        run_file = residual.run.directory / name
        assert (residual.directory / name).read_bytes() == run_file.read_bytes()


def test_timm_gives_the_logits_of_a_strict_run_where_cxr_cannot_be_imported(
    residual: Exported, transformer: Exported, radiographs: Path
):
    for exported in (residual, transformer):
        found = run_example(exported.directory, radiographs, exported.run)
        assert found == read_recorded(exported.run)
        assert len(set(found)) > 1
        assert exported.answer["timm"]["agreement"]["num_same"] == 8
        assert "the logits of the run, bit for bit, on all 8 images" in exported.card


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_another_mean_or_other_weights_are_seen_without_cxr_and_named(
    transformer: Exported, radiographs: Path, tmp_path: Path, name: str
):
    edited = Path(shutil.copytree(transformer.directory, tmp_path / "edited"))
    if name == "config.json":
        content = json.loads((edited / name).read_bytes())
        content["pretrained_cfg"]["mean"] = [0.25] * 3
        (edited / name).write_text(json.dumps(content))
    else:
        last = bytearray((edited / name).read_bytes())
        last[-2] ^= 1
        (edited / name).write_bytes(last)
    assert run_example(edited, radiographs, transformer.run) != read_recorded(transformer.run)
    assert {one.path for one in verify_export(edited).findings} == {name}


def test_equal_runs_have_equal_exports(
    residual: Exported, finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    again = train_residual(finished_run, radiographs, tag="again")
    moved = Path(shutil.copytree(radiographs, tmp_path / "elsewhere"))
    other = export(again, tmp_path / "a" / "other", "--onnx", "--data", moved)
    # The manifest tells when a run was trained, and the record names the manifest.
    assert find_other_files(residual.directory, other.directory) == {"manifest.json", "export.json"}
    records = [load_export_record(one.directory) for one in (residual, other)]
    for record in records:
        del record["run"]["manifest_digest"], record["files"]["manifest.json"]
        del record["export_digest"]
    assert records[0] == records[1]


def test_the_same_run_gives_the_same_bytes_and_others_are_seen(
    transformer: Exported, tmp_path: Path
):
    same = tmp_path / "same"
    finished = run_cxr("export", transformer.run.directory, same, "--license", "cc-by-4.0")
    assert find_other_files(transformer.directory, same) == set()
    lines = finished.stdout.splitlines()
    assert (finished.returncode, lines[0]) == (0, f"exported: {same}")
    said = " ".join(finished.stdout.split())
    assert "the logits of the run, bit for bit, on all 8 images of the test split" in said
    assert max(len(line) for line in lines[1:] if "sha256:" not in line) <= 80
    stamped = export(transformer.run, tmp_path / "stamped", fault="export-stamp")
    differing = find_other_files(transformer.directory, stamped.directory)
    assert differing == {"preprocessing.json", "export.json"}


def test_the_recipe_trains_the_same_model_again(
    transformer: Exported, radiographs: Path, tmp_path: Path
):
    config, place = transformer.directory / "recipe.yaml", f"data.root={radiographs}"
    again = tmp_path / "again"
    finished = run_cxr("train", "--config", config, "--set", place, "--out", again, "-q")
    assert finished.returncode == 0, finished.stderr
    outcome = json.loads((again / "manifest.json").read_bytes())["outcome_digest"]
    assert outcome == transformer.answer["outcome_digest"]
    assert f"| outcome | `{outcome}` |" in transformer.card


def test_what_timm_changes_in_a_portable_run_is_measured_and_said(
    finished_run: FinishedRuns, radiographs: Path, tmp_path: Path
):
    recipe = images(radiographs, determinism="portable", train=ONE_EPOCH, evaluate=BATCHES)
    exported = export(finished_run(recipe), tmp_path / "export")
    found, recorded = (
        np.array(rows, dtype=np.float32).astype(np.float64)
        for rows in (
            run_example(exported.directory, radiographs, exported.run),
            read_recorded(exported.run),
        )
    )
    largest = float(np.abs(found - recorded).max())
    changed = int((found.argmax(axis=1) != recorded.argmax(axis=1)).sum())
    agreement = exported.answer["timm"]["agreement"]
    assert agreement["largest_difference"] == largest > 0
    assert agreement["changed_decisions"] == changed
    assert (
        f"the largest difference of a logit is {largest:.3g}, and {changed} of 8" in exported.card
    )


def test_the_onnx_model_takes_the_picture_as_it_is(residual: Exported, radiographs: Path):
    session = onnxruntime.InferenceSession(residual.directory / "model.onnx")
    paths = sorted((radiographs / "test").rglob("*.*"))
    found = {
        path.relative_to(radiographs).as_posix(): session.run(
            ["logits"], {"image": np.asarray(Image.open(path).convert("L"))[:, :, None]}
        )[0][0]
        for path in paths
    }
    lines = (residual.run.directory / "predictions.csv").read_text().splitlines()[1:]
    recorded = {line.split(",")[0]: np.float32(line.split(",")[3:5]) for line in lines}
    assert found.keys() == recorded.keys()
    apart = max(float(np.abs(found[name] - recorded[name]).max()) for name in found)
    onnx = residual.answer["onnx"]
    assert apart == pytest.approx(onnx["agreement"]["largest_difference"], abs=1e-6)
    assert onnx["agreement"]["largest_difference"] <= onnx["agreement"]["bound"] == 1e-3
    said = f"from torch is {onnx['agreement']['largest_difference']:.3g} (more than 0.001"
    assert said in residual.card
    assert f"opset {onnx['opset']}" in residual.card


def test_no_name_of_an_image_or_place_is_exported(residual: Exported, radiographs: Path):
    lock = json.loads((residual.run.directory / "data.lock.json").read_bytes())
    names = {Path(sample["path"]).stem for sample in lock["samples"]}
    names |= {str(radiographs), str(residual.run.directory), str(residual.directory.parent)}
    contents = b"".join(path.read_bytes() for path in residual.directory.iterdir())
    assert len(names) == 31
    assert [name for name in names if name.encode() in contents] == []


def test_ctrl_c_leaves_nothing(transformer: Exported, tmp_path: Path):
    finished = run_cxr(
        "export", transformer.run.directory, tmp_path / "export", fault="export-interrupted"
    )
    read_error(finished, code=130)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_extra_is_refused_at_once(transformer: Exported, tmp_path: Path):
    finished = run_cxr(
        "export", transformer.run.directory, tmp_path / "a", "--onnx", blocked=["onnxscript"]
    )
    problem, _, hint = read_error(finished, code=3)
    assert problem.startswith("--onnx needs onnx, onnxscript and onnxruntime")
    assert hint == "uv sync --extra onnx, or pip install 'cxr[onnx]'"
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_does_not_verify_is_refused(transformer: Exported, tmp_path: Path):
    run = copy_run(transformer.run, tmp_path / "run")
    weights = bytearray((run / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (run / "model.safetensors").write_bytes(weights)
    problem, where, _ = read_error(
        run_cxr("export", run, tmp_path / "export", blocked=HEAVY), code=3
    )
    assert problem.startswith("the run does not verify: model.safetensors was changed")
    assert where.startswith(str(run))
    assert not (tmp_path / "export").exists()
