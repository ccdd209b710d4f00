"""What ``cxr predict`` refuses: broken images, in known words, and edited runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cxr.config.fields import digest_config, find_recipe_fields
from cxr.config.load import load_config
from cxr.digests.canonical import digest_json
from cxr.digests.files import digest_file
from cxr.records.manifest import seal_manifest
from support.dicoms import draw_values, make_dicom, wrap_jpeg, write_dicom
from support.hostile_images import HOSTILE, JPEG, SIDE, encode, write_png
from support.predicting import predict
from support.program import read_answer, read_error, run_cxr
from support.recipes import images, vectors
from support.runs import HEAVY, FinishedRuns, Run, copy_run

BROKEN = (
    *("JPEG, half", "web page", "LFS pointer", "empty", "WebP named PNG", "PNG, a bit turned"),
    *("JPEG of many scans", "JPEG of hidden scans", "TIFF of many pages"),
)


@pytest.fixture
def run(finished_run: FinishedRuns, radiographs: Path) -> Run:
    return finished_run(images(radiographs))


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder with one sound image among some of which each is broken in its own way."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    for number, name in enumerate(BROKEN):
        file, content, _ = HOSTILE[name]
        (folder / f"{number}{Path(file).suffix}").write_bytes(content)
    (folder / "bomb.png").write_bytes(write_png(20_000, 20_000, b"x"))
    (folder / "deep.dcm").write_bytes(write_dicom(make_dicom(draw_values(low=0, high=4095))))
    hidden = HOSTILE["JPEG of hidden scans"][1]
    (folder / "hidden.dcm").write_bytes(wrap_jpeg(hidden, side_px=SIDE))
    (folder / "sound.jpeg").write_bytes(JPEG)
    (folder / "text.txt").write_text("no image")
    (folder / ".hidden.png").write_bytes(encode(file_format="PNG"))
    return folder


def seal(run: Path, changes: dict[str, Any]) -> None:
    """Change fields of a manifest, and seal it as if nothing had been."""
    file = run / "manifest.json"
    manifest = {**json.loads(file.read_bytes()), **changes}
    kept = {name: value for name, value in manifest.items() if value is not None}
    file.write_text(json.dumps(seal_manifest(kept)))


def test_broken_images_get_the_words_of_data_verify_and_others_an_answer(run: Run, hostile: Path):
    answer = predict(run.directory, hostile, code=1)
    assert [Path(one["path"]).name for one in answer["images"]] == ["sound.jpeg"]
    verified = read_answer(run_cxr("data", "verify", hostile, "--json", "-q"))
    errors = {
        (str(hostile / path), problem["kind"], problem["detail"])
        for problem in verified["problems"]
        if problem["severity"] == "error"
        for path in problem["paths"]
    }
    found = {(one["path"], one["kind"], one["detail"]) for one in answer["refused"]}
    assert found == errors
    assert len(found) == len(BROKEN) + 3
    kinds = {one["kind"] for one in answer["refused"]}
    assert kinds >= {"truncated", "not-an-image", "lfs-pointer", "bomb", "16-bit", "damaged"}
    assert [one["kind"] for one in answer["passed_over"]] == ["hidden"]


@pytest.mark.usefixtures("hostile")
def test_what_is_not_there_is_told_beside_the_answers(run: Run, radiographs: Path, tmp_path: Path):
    first = min((radiographs / "test" / "NORMAL").iterdir())
    (tmp_path / "link.jpeg").symlink_to(first)
    (tmp_path / "lost.jpeg").symlink_to("nowhere")
    (tmp_path / "empty").mkdir()
    names = ["missing.png", "link.jpeg", "link.jpeg", "lost.jpeg", "empty", "hostile/4.png"]
    finished = run_cxr("predict", run.directory, first, *names, "--json", cwd=tmp_path)
    answer = read_answer(finished)
    assert finished.returncode == 3
    assert [one["path"] for one in answer["images"]] == [str(first), "link.jpeg"]
    assert answer["images"][0]["logits"] == answer["images"][1]["logits"]
    refused = {one["path"]: one["kind"] for one in answer["refused"]}
    assert refused == {
        "missing.png": "unreadable",
        "lost.jpeg": "unreadable",
        "empty": "no-images",
        "hostile/4.png": "not-an-image",
    }
    assert "named more than once, answered once: 1\n" in finished.stderr


def test_a_folder_that_cannot_be_listed_is_no_reason_to_leave_out_the_others(
    run: Run, radiographs: Path
):
    answer = predict(
        run.directory, radiographs, radiographs / "test", code=3, fault="unlistable-directory:val"
    )
    assert len(answer["images"]) == 8
    [refused] = answer["refused"]
    assert (refused["path"], refused["kind"]) == (str(radiographs), "unreadable")
    assert refused["detail"].startswith("cannot list a directory")


def test_where_there_is_no_image_at_all_it_is_an_error(run: Run, tmp_path: Path):
    problem, where, _ = read_error(run_cxr("predict", run.directory, tmp_path, "--json"), code=3)
    assert problem == "there is no image to predict"
    assert where == f"{tmp_path}: no image below it, by suffix"


def test_sizes_that_the_config_declares_are_held(finished_run: FinishedRuns, radiographs: Path):
    run = finished_run(images(radiographs, data__expect={"size": [32, 32]}))
    other = run.directory.parent / "other.png"
    other.write_bytes(encode(file_format="PNG"))
    [refused] = predict(run.directory, other, code=1)["refused"]
    assert (refused["kind"], refused["detail"]) == ("size-differs", "48 x 48 px, 32 x 32 declared")


def test_other_fields_of_the_preprocessing_are_named(run: Run, radiographs: Path, tmp_path: Path):
    edited = copy_run(run, tmp_path / "run")
    text = (edited / "config.yaml").read_text(encoding="utf-8")
    assert text.count("mean: 0.5") == 1
    (edited / "config.yaml").write_text(text.replace("mean: 0.5", "mean: 0.25"))
    config = load_config(edited / "config.yaml")
    recipe = {**run.manifest["recipe"], "config_digest": digest_config(config)}
    changes = {
        "recipe": recipe,
        "recipe_digest": digest_json(recipe),
        "config": {**run.manifest["config"], "recipe": find_recipe_fields(config)},
        "files": {**run.manifest["files"], "config.yaml": digest_file(edited / "config.yaml")},
    }
    seal(edited, changes)
    finished = run_cxr("predict", edited, radiographs / "test", "--json")
    problem, where, _ = read_error(finished, code=1)
    assert problem == "the config's preprocessing is not that of the run"
    assert where == "mean: 0.5 in the run, 0.25 here"
    said = [one["problem"] for one in read_answer(run_cxr("verify", edited, "--json"))["findings"]]
    assert "preprocessing.mean is not what config.yaml says" in said
    # The field that was recorded is edited too: then the tensors tell.
    preprocessing = {**run.manifest["preprocessing"], "mean": 0.25}
    seal(edited, {**changes, "preprocessing": preprocessing})
    problem, where, _ = read_error(run_cxr("predict", edited, radiographs / "test"), code=1)
    assert problem.startswith("images become other tensors here")
    assert "jpeg_grey" in where


def test_another_decoder_is_refused_by_the_canary_that_it_changes(run: Run, radiographs: Path):
    finished = run_cxr("predict", run.directory, radiographs / "test", fault="other-decoder")
    problem, where, hint = read_error(finished, code=1)
    assert problem == "images become other tensors here than those that the run was trained on"
    assert where == "canary jpeg_grey"
    assert "cxr env verify RUN" in hint


def test_a_run_from_before_preprocessing_was_recorded_is_told_so(
    run: Run, radiographs: Path, tmp_path: Path
):
    older = copy_run(run, tmp_path / "run")
    seal(older, {"preprocessing": None, "preprocessing_digest": None})
    first = min((radiographs / "test" / "NORMAL").iterdir())
    finished = run_cxr("predict", older, first, "--json")
    assert read_answer(finished)["preprocessing_digest"] is None
    assert finished.stderr == (
        "the run did not record its preprocessing: it was not checked here\n"
    )
    assert run_cxr("verify", older, blocked=HEAVY).returncode == 0


def test_a_run_on_vectors_one_that_failed_and_other_weights_are_refused(
    finished_run: FinishedRuns, run: Run, radiographs: Path, tmp_path: Path
):
    of_vectors = run_cxr("predict", finished_run(vectors()).directory, radiographs)
    assert "drawn vectors" in read_error(of_vectors, code=2)[0]
    assert "preprocessing" not in finished_run(vectors()).manifest
    edited = copy_run(run, tmp_path / "weights")
    newest = max((edited / "checkpoints").glob("*.safetensors"))
    oldest = min((edited / "checkpoints").glob("*.safetensors"))
    own = (edited / "model.safetensors").read_bytes()
    other = next(one for one in (oldest, newest) if one.read_bytes() != own)
    (edited / "model.safetensors").write_bytes(other.read_bytes())
    problem, _, _ = read_error(run_cxr("predict", edited, radiographs / "test"), code=3)
    assert problem == "the weights are not those of the run's outcome"
    swapped = copy_run(run, tmp_path / "classes")
    text = (swapped / "data.lock.json").read_text(encoding="utf-8")
    (swapped / "data.lock.json").write_text(
        text.replace('["NORMAL","PNEUMONIA"]', '["PNEUMONIA","NORMAL"]')
    )
    problem, _, _ = read_error(run_cxr("predict", swapped, radiographs / "test"), code=3)
    assert problem.startswith("data.lock.json was changed: its bytes have another digest")


def test_two_answers_cannot_share_stdout(run: Run, radiographs: Path):
    finished = run_cxr("predict", run.directory, radiographs, "--json", "--csv", "-")
    assert "--csv -" in read_error(finished, code=2)[0]
    finished = run_cxr("predict", run.directory, radiographs, "", "--json", blocked=["torch"])
    assert read_error(finished, code=2)[0] == "the name of an image is empty"
    finished = run_cxr("predict", run.directory, radiographs, "--csv", radiographs)
    assert read_error(finished, code=2)[1] == str(radiographs)
    finished = run_cxr("predict", run.directory, radiographs, "--csv", run.directory / "t.csv")
    assert "the table" in read_error(finished, code=2)[0]
    finished = run_cxr("predict", run.directory, radiographs, "--csv", "nothing/t.csv")
    assert "--csv" in read_error(finished, code=3)[2]


def test_a_table_is_never_written_over_an_image(run: Run, radiographs: Path, tmp_path: Path):
    image = tmp_path / "set" / "a.jpeg"
    image.parent.mkdir()
    image.write_bytes(content := min((radiographs / "test" / "NORMAL").iterdir()).read_bytes())
    finished = run_cxr("predict", run.directory, "set", "--csv", "./set/a.jpeg", cwd=tmp_path)
    assert read_error(finished, code=2)[0] == "the table would be written over one of the images"
    assert image.read_bytes() == content
    assert list(image.parent.iterdir()) == [image]
