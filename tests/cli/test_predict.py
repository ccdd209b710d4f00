"""``cxr predict``: the bits of a run's own predictions, whatever is asked for beside an image."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from support.data_sets import write_npz, write_table
from support.dicoms import make_dicom, write_dicom
from support.predicting import predict, read_own_rows, take_rows
from support.program import DEADLINE_S, build_environment, read_error, run_cxr
from support.recipes import Recipe, images, labels
from support.runs import HEAVY, FinishedRuns, Run

PAGE = Path(__file__).parents[2] / "docs" / "predict.md"
DEEP = {"kind": "range", "low": 0, "high": 4095}
NAME = "PLANTNAME^JANE"


def recipe(radiographs: Path) -> Recipe:
    """Return a recipe that evaluates one image a batch, as images are predicted at ``strict``."""
    return images(radiographs, evaluate__batch_size=1, data__window=DEEP)


def read_all(directory: Path) -> dict[Path, bytes]:
    """Return every file's bytes."""
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.fixture
def run(finished_run: FinishedRuns, radiographs: Path) -> Run:
    return finished_run(recipe(radiographs))


def test_a_strict_run_gives_the_bits_of_its_own_predictions(run: Run, radiographs: Path):
    before = read_all(run.directory)
    answer = predict(run.directory, radiographs / "test")
    own = read_own_rows(run)
    below = [Path(one["path"]).relative_to(radiographs).as_posix() for one in answer["images"]]
    assert sorted(below) == sorted(own)
    assert below == sorted(below)
    assert take_rows(answer) == [own[path] for path in below]
    assert answer["outcome_digest"] == run.digests[0]
    assert (answer["determinism"], answer["classes"]) == ("strict", ["NORMAL", "PNEUMONIA"])
    assert answer["preprocessing_digest"] == run.manifest["preprocessing_digest"]
    assert (answer["refused"], answer["warnings"], answer["passed_over"]) == ([], [], [])
    assert before == {
        path: path.read_bytes() for path in run.directory.rglob("*") if path.is_file()
    }


def test_a_portable_run_gives_them_whatever_batch_it_was_evaluated_in(
    finished_run: FinishedRuns, radiographs: Path
):
    run = finished_run(images(radiographs, determinism="portable", evaluate__batch_size=8))
    answer = predict(run.directory, radiographs / "test", env={"CXR_PORTABLE_PRODUCTS": "int8"})
    own = read_own_rows(run)
    below = [Path(one["path"]).relative_to(radiographs).as_posix() for one in answer["images"]]
    assert take_rows(answer) == [own[path] for path in below]
    assert len(own) == 8


def test_neighbours_and_their_order_change_no_byte_of_an_answer(run: Run, radiographs: Path):
    first, second, third = sorted((radiographs / "test" / "NORMAL").iterdir())[:3]
    together = predict(run.directory, first, second, third)["images"]
    other_way = predict(run.directory, third, radiographs / "val", first)["images"]
    alone = predict(run.directory, first)["images"]
    texts = [
        {json.dumps(one) for one in found if one["path"] == str(first)}
        for found in (together, other_way, alone)
    ]
    assert texts[0] == texts[1] == texts[2]
    assert [one["path"] for one in together] == [str(first), str(second), str(third)]
    assert [Path(one["path"]).name for one in other_way][0::9] == [third.name, first.name]


def test_a_logit_reads_back_to_the_float32_that_the_model_gave(run: Run, radiographs: Path):
    with (run.directory / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        texts = {row["path"]: row["logit:NORMAL"] for row in csv.DictReader(stream)}
    for one in predict(run.directory, radiographs / "test")["images"]:
        path = Path(one["path"]).relative_to(radiographs).as_posix()
        assert str(np.float32(one["logits"][0])) == texts[path]


def test_dicom_png_and_tiff_of_the_same_16_bit_values_are_one_image(run: Run, tmp_path: Path):
    rows, columns = np.mgrid[:40, :40]
    values = ((rows * 79 + columns * 47 + rows * columns * 3) % 4096).astype(np.uint16)
    made = make_dicom(values, PatientName=NAME)
    (tmp_path / "a.dcm").write_bytes(write_dicom(made))
    Image.fromarray(values).save(tmp_path / "b.png")
    Image.fromarray(values).save(tmp_path / "c.tiff")
    finished = run_cxr("predict", run.directory, tmp_path, "--json")
    dicom, png, tiff = take_rows(json.loads(finished.stdout))
    assert dicom == png == tiff
    assert "PLANTNAME" not in finished.stdout + finished.stderr
    assert run_cxr("verify", run.directory, blocked=HEAVY).returncode == 0


def test_each_label_is_decided_by_itself(finished_run: FinishedRuns, tmp_path: Path):
    write_table(tmp_path)
    run = finished_run(labels(tmp_path / "table.csv", evaluate__batch_size=1))
    shutil.move(tmp_path / "table.csv", tmp_path / "elsewhere.csv")
    answer = predict(run.directory, *sorted((tmp_path / "images").iterdir())[30:])
    own = read_own_rows(run)
    assert take_rows(answer) == list(own.values())
    assert answer["asks_each_label"]
    assert len({decision for decision, _, _ in own.values()}) > 1
    shown = run_cxr("predict", run.directory, tmp_path / "images", "--all", "-q").stdout
    assert shown.count(" Edema ") == shown.count(" Effusion ") == 40


def test_of_an_npz_file_every_row_is_predicted(finished_run: FinishedRuns, tmp_path: Path):
    file = tmp_path / "set.npz"
    write_npz(file)
    data = {"source": "npz", "root": str(file), "classes": ["low", "high"], "image_size": 28}
    run = finished_run(images(tmp_path, data=data, evaluate__batch_size=1))
    answer = predict(run.directory, file, file)
    assert (len(answer["images"]), answer["repeated"]) == (24, 24)
    found = dict(zip((one["path"] for one in answer["images"]), take_rows(answer), strict=True))
    own = {f"{file}#{path}": row for path, row in read_own_rows(run).items()}
    assert own == {path: row for path, row in found.items() if "#test/" in path}
    with np.load(file) as arrays:
        Image.fromarray(arrays["test_images"][0]).save(tmp_path / "row.png")
    [as_picture] = take_rows(predict(run.directory, tmp_path / "row.png"))
    assert as_picture == found[f"{file}#test/0000000"]


def test_the_table_has_the_columns_of_predictions_but_for_the_label(
    run: Run, radiographs: Path, tmp_path: Path
):
    named = run_cxr("predict", run.directory, radiographs / "test", "--csv", tmp_path / "t.csv")
    printed = run_cxr("predict", run.directory, radiographs / "test", "--csv", "-")
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == printed.stdout
    assert named.stdout.startswith(f"8 images predicted: {tmp_path / 't.csv'}\n")
    head, *rows = csv.reader(io.StringIO(printed.stdout))
    with (run.directory / "predictions.csv").open(encoding="utf-8", newline="") as stream:
        own_head, *own = csv.reader(stream)
    assert head == [own_head[0], *own_head[2:]]
    wanted = {row[0]: row[2:] for row in own}
    assert {Path(row[0]).relative_to(radiographs).as_posix(): row[1:] for row in rows} == wanted


def test_what_is_shown_fits_80_columns(run: Run, radiographs: Path, tmp_path: Path):
    deep = tmp_path / ("a" * 60) / ("b" * 60)
    shutil.copytree(radiographs / "test", deep)
    finished = run_cxr("predict", run.directory, deep, "-q")
    lines = finished.stdout.splitlines()
    assert lines[0] == "8 images predicted:"
    assert max(map(len, lines)) <= 80
    assert lines[3].split()[0].endswith("/NORMAL/" + min((deep / "NORMAL").iterdir()).name)
    assert lines[-1] == "promise  strict: the same bits on this machine with this stack"
    (deep / "cut.jpeg").write_bytes(b"\xff\xd8\xff")
    narrow = run_cxr("predict", run.directory, deep, "-q", env={"COLUMNS": "40"})
    lines = narrow.stdout.splitlines()
    assert max(map(len, lines[:-2])) <= 40
    # No word of what is said is cut to letters.
    assert sum(line.split()[1:2] in (["NORMAL"], ["PNEUMONIA"]) for line in lines) == 8
    assert any(line.split()[1:2] == ["truncated"] for line in lines)


def test_ctrl_c_leaves_no_table_and_no_answer(run: Run, radiographs: Path, tmp_path: Path):
    file = tmp_path / "t.csv"
    finished = run_cxr(
        "predict",
        run.directory,
        radiographs,
        "--csv",
        file,
        "--json",
        "-q",
        fault="interrupted-decoding:5",
    )
    problem, where, _ = read_error(finished, code=130)
    assert problem == "stopped by SIGINT"
    assert where.startswith("predicting images, ")
    assert (finished.stdout, list(tmp_path.iterdir())) == ("", [])


def test_a_predictor_gives_the_same_bits_from_any_thread_and_of_bytes(run: Run, radiographs: Path):
    files = sorted((radiographs / "test" / "PNEUMONIA").iterdir())
    finished = run_cxr("predict", run.directory, *files, "--json", fault="asked-from-threads")
    assert finished.returncode == 0, finished.stderr
    plain = predict(run.directory, *files)["images"]
    assert json.loads(finished.stdout)["images"] == plain
    said = [json.loads(line) for line in finished.stderr.splitlines() if line.startswith("[")]
    assert [rows for rows, _ in said] == [[one["logits"] for one in plain]] * 4
    assert len({name for _, name in said}) == 4


def test_the_example_for_python_gives_the_answer_of_the_command(
    run: Run, radiographs: Path, tmp_path: Path
):
    script = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / "example.py").write_text(script[0], encoding="utf-8")
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a").symlink_to(run.directory)
    shutil.copy(min((radiographs / "train" / "PNEUMONIA").glob("*.png")), tmp_path / "image.png")
    finished = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path,
        env=build_environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    [said] = predict(run.directory, "image.png", cwd=tmp_path)["images"]
    assert finished.stdout == f"{said}\n"
