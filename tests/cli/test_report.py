"""``cxr report`` writes one file from records alone, the same for the same records."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from support import recipes
from support.html_pages import BROWSER, list_faults, measure, read_page
from support.program import read_answer, read_error, run_cxr
from support.recipes import vectors
from support.runs import HEAVY, FinishedRuns, Run, copy_run


@pytest.fixture
def run(finished_run: FinishedRuns, radiographs: Path) -> Run:
    return finished_run(recipes.images(radiographs))


def write(run: Path, out: Path, *options: str | Path, **settings) -> str:
    finished = run_cxr("report", run, "--out", out, *options, **settings)
    assert finished.returncode == 0, finished.stderr
    return out.read_text(encoding="utf-8")


def test_the_report_says_what_the_records_do(run: Run, tmp_path: Path):
    page = write(run.directory, tmp_path / "report.html")
    assert list_faults(page) == []
    found = read_page(page)
    figures = run.manifest["metrics"]
    values = [one.text for one in found.named("dd") if one.attributes.get("class") == "figure"]
    names = ("auroc", "balanced_accuracy", "accuracy")
    assert values == [f"{figures[name]:.3f}" for name in names]
    cells = {one.text for one in found.named("td")}
    assert {f"{figures['loss']:.4f}", f"{figures['brier_score']:.4f}"} <= cells
    assert run.manifest["outcome_digest"] in page
    assert "looked at once" in page
    boxes = (one for one in found.named("div") if "statement" in one.attributes.get("class", ""))
    statements = [one.text for one in boxes]
    assert statements[0] == "Completed after 6 steps."
    assert statements[1].startswith("Consistent: ")
    titles = [one.text for one in found.named("h2")]
    assert titles == [
        "Verdict",
        "Recipe",
        "Data",
        "Learning",
        "Figures",
        "Confusion",
        "Reliability",
        "Subgroups",
        "Hard images",
        "Environment",
        "Reproducibility checklist",
    ]
    # Nothing of the machine that it was made on.
    for place in (str(tmp_path), str(run.directory.parent), str(Path.home())):
        assert place not in page


def test_equal_records_give_equal_bytes_in_processes_that_differ(run: Run, tmp_path: Path):
    first = write(run.directory, tmp_path / "a.html")
    moved = copy_run(run, tmp_path / "elsewhere" / "moved")
    settings = {
        "env": {"PYTHONHASHSEED": "77", "TZ": "Asia/Kolkata", "LC_ALL": "C", "LANG": "de_DE"},
        "cwd": tmp_path,
        "variables_backwards": True,
    }
    assert write(moved, tmp_path / "b.html", **settings) == first
    options = ("--markdown",)
    one = write(run.directory, tmp_path / "a.md", *options)
    assert write(moved, tmp_path / "b.md", *options, **settings) == one


@pytest.mark.parametrize("name", ["labels", "vectors"])
def test_runs_of_every_kind_have_a_sound_report(
    name: str, finished_run: FinishedRuns, tmp_path: Path, shared_directory: Path
):
    recipe = vectors()
    if name == "labels":
        recipe = recipes.labels(make_table(shared_directory))
    page = write(finished_run(recipe).directory, tmp_path / "report.html")
    assert list_faults(page) == []
    assert page.count("<svg") == 7


def make_table(shared: Path) -> Path:
    import filelock

    from support.data_sets import write_table

    home = shared / "labelled-for-reports"
    with filelock.FileLock(f"{home}.lock"):
        if not home.exists():
            home.mkdir()
            write_table(home)
    return home / "table.csv"


def test_a_run_that_failed_has_a_report_that_says_why(finished_run: FinishedRuns, tmp_path: Path):
    recipe = vectors()
    recipe["train"] |= {"optimizer": "sgd", "lr": 100.0, "momentum": 0.99, "epochs": 40}
    run = finished_run(recipe, code=3)
    assert run.manifest["status"] == "failed"
    page = write(run.directory, tmp_path / "report.html")
    assert list_faults(page) == []
    assert "<strong>Failed after" in page
    assert f"<li>{run.manifest['failure']['problem']}</li>".replace("'", "&#x27;") in page
    assert 'id="figures"' not in page


def test_a_run_that_never_ended_is_not_called_verified(run: Run, tmp_path: Path):
    copy = copy_run(run, tmp_path / "run")
    started = {"status": "running", "volatile": {"started": "2026-01-01T00:00:00Z"}}
    kept = ("schema", "name", "recipe", "recipe_digest", "config", "controls", "environment_digest")
    write_sealed(copy, {**{key: run.manifest[key] for key in kept}, **started})
    page = write(copy, tmp_path / "report.html")
    assert "Never ended" in page
    assert "Not verified" in page
    assert "Consistent" not in page


def write_sealed(run: Path, manifest: dict) -> None:
    from cxr.records.manifest import seal_manifest

    (run / "manifest.json").write_text(json.dumps(seal_manifest(manifest)), encoding="utf-8")


def test_pictures_are_shown_where_the_data_is_the_runs(run: Run, radiographs: Path, tmp_path: Path):
    bare = write(run.directory, tmp_path / "bare.html")
    assert "<img" not in bare
    page = write(run.directory, tmp_path / "report.html", "--data", radiographs)
    assert list_faults(page) == []
    assert page.count("<img") >= 4 + 6
    assert write(run.directory, tmp_path / "again.html", "--data", radiographs) == page

    copy = tmp_path / "data"
    shutil.copytree(radiographs, copy)
    image = min((copy / "train" / "NORMAL").iterdir())
    image.write_bytes(image.read_bytes() + b"\0")
    finished = run_cxr("report", run.directory, "--out", tmp_path / "x.html", "--data", copy)
    assert read_error(finished, code=3)[0] == "an image is not the one that the run used"
    image.unlink()
    finished = run_cxr("report", run.directory, "--out", tmp_path / "x.html", "--data", copy)
    assert "cannot read an image" in read_error(finished, code=3)[0]
    assert not (tmp_path / "x.html").exists()


def test_a_path_that_leads_out_of_the_data_is_not_followed(
    run: Run, tmp_path: Path, radiographs: Path
):
    copy = copy_run(run, tmp_path / "run")
    data = tmp_path / "data"
    data.mkdir()
    lock = (copy / "data.lock.json").read_text(encoding="utf-8")
    first = min(re.findall(r'"path":"(train/NORMAL/[^"]+)"', lock))
    (copy / "data.lock.json").write_text(lock.replace(first, f"../{first}"), encoding="utf-8")
    shutil.copytree(radiographs / "train", tmp_path / "train")
    finished = run_cxr("report", copy, "--out", tmp_path / "x.html", "--data", data)
    assert "leads out of the data set" in read_error(finished, code=3)[0]


def test_each_later_look_at_the_split_is_counted(run: Run, radiographs: Path, tmp_path: Path):
    copy = copy_run(run, tmp_path / "run")
    finished = run_cxr("evaluate", copy, "--replicates", "0", "-q", "--data", radiographs)
    assert finished.returncode == 0, finished.stderr
    assert "looked at 2 times" in write(copy, tmp_path / "report.html", "--replicates", "0")


def test_reading_records_needs_no_heavy_library_but_numpy_for_intervals(run: Run, tmp_path: Path):
    settings = {"blocked": [*HEAVY, "PIL", "scipy", "jinja2", "matplotlib"]}
    page = write(run.directory, tmp_path / "a.html", "--replicates", "0", **settings)
    assert "interval" not in page.partition('id="recipe"')[0].partition("<body>")[2]
    finished = run_cxr("report", run.directory, "--out", tmp_path / "b.html", **settings)
    assert "--replicates 0" in read_error(finished, code=3)[2]
    others = {"blocked": ["torch", "timm", "torchvision", "PIL"]}
    assert "95 % interval" in write(run.directory, tmp_path / "b.html", **others)


def test_the_answer_names_the_file_and_what_was_found(run: Run, tmp_path: Path):
    finished = run_cxr("report", run.directory, "--json", cwd=tmp_path)
    short = run.manifest["manifest_digest"].removeprefix("sha256:")[:8]
    assert read_answer(finished) == {
        "report": f"report-{short}.html",
        "format": "html",
        "runs": [str(run.directory)],
        "status": "completed",
        "verified": True,
    }
    assert (tmp_path / f"report-{short}.html").is_file()
    copy = copy_run(run, tmp_path / "run")
    (copy / "model.safetensors").write_bytes(b"")
    finished = run_cxr("report", copy, "--out", tmp_path / "b.html")
    assert finished.returncode == 0
    assert "not verified" in finished.stderr


@pytest.mark.parametrize("options", [(), ("--markdown",)])
def test_only_a_report_is_written_over(options: tuple[str, ...], run: Run, tmp_path: Path):
    out = tmp_path / "mine.html"
    out.write_text("mine", encoding="utf-8")
    finished = run_cxr("report", run.directory, "--out", out, *options)
    assert "no report of cxr" in read_error(finished, code=2)[0]
    assert out.read_text(encoding="utf-8") == "mine"
    first = write(run.directory, out, "--force", *options)
    assert write(run.directory, out, *options) == first
    out.write_text("", encoding="utf-8")
    assert write(run.directory, out, *options) == first
    assert [path.name for path in tmp_path.iterdir()] == ["mine.html"]


def test_nothing_is_written_into_a_record(run: Run, tmp_path: Path):
    copy = copy_run(run, tmp_path / "series" / "run-1")
    (tmp_path / "series" / "repeat.json").write_text("{}", encoding="utf-8")
    (tmp_path / "link").symlink_to(copy)
    for place in (copy, copy / "checkpoints", tmp_path / "series", tmp_path / "link"):
        finished = run_cxr("report", copy, "--out", place / "report.html", "--force")
        assert "into another record" in read_error(finished, code=2)[0]
    assert run_cxr("verify", copy).returncode == 0


def test_what_is_no_run_is_said_in_three_lines(run: Run, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "missing", run.config):
        assert read_error(run_cxr("report", place), code=3)


def test_a_run_whose_record_was_edited_has_a_page_that_says_so_first(run: Run, tmp_path: Path):
    copy = copy_run(run, tmp_path / "run")
    text = (copy / "manifest.json").read_text(encoding="utf-8")
    (copy / "manifest.json").write_text(text.replace('"seed":1', '"seed":2'), encoding="utf-8")
    (copy / "model.safetensors").write_bytes(b"")
    page = write(copy, tmp_path / "report.html")
    assert list_faults(page) == []
    found = read_page(page)
    statement, *_ = (
        one for one in found.named("div") if "statement" in one.attributes.get("class", "")
    )
    assert statement.attributes["class"] == "statement bad"
    assert statement.text.startswith("Not as it was written")
    assert "manifest.json: the manifest was edited" in statement.text
    assert "model.safetensors: was changed" in statement.text
    # No figure of a record that cannot be relied on stands in large type.
    classes = {one.attributes.get("class") for one in found.elements}
    assert "figure" not in classes
    answer = read_answer(run_cxr("report", copy, "--json", "--out", tmp_path / "report.html"))
    assert (answer["status"], answer["verified"]) == ("damaged", False)


@pytest.mark.skipif(
    BROWSER is None, reason="no Chromium or Chrome is installed; .ci/run installs one"
)
def test_the_report_of_a_run_fits_a_desktop_and_a_phone(
    run: Run, radiographs: Path, tmp_path: Path
):
    page = write(run.directory, tmp_path / "report.html", "--data", radiographs)
    for found in measure(page, (1280, 390), tmp_path):
        assert found["scroll"] <= found["width"], found
        assert found["outside"] == []
        assert found["font"] == "27.2px"
