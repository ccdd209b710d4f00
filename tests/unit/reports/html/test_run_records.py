"""Records that hold what no run writes are named; their digests may all agree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cxr.errors import CxrError
from cxr.records.manifest import seal_manifest
from cxr.reports.html.blocks import Facts
from cxr.reports.html.checklist_results import RESULT_ANSWERS
from cxr.reports.html.page import render_page
from cxr.reports.html.run_analysis import MOST_CLASSES, analyse_run
from cxr.reports.html.run_records import load_run_records
from cxr.reports.html.run_report import build_run_report
from cxr.reports.html.verdict import describe_verdict
from support.html_pages import list_faults

RELEASED = Path(__file__).parents[3] / "formats" / "v0.1.0" / "run"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(RELEASED, tmp_path / "run"))


def edit_manifest(run: Path, edit: Callable[[dict], None]) -> None:
    """Change a manifest and seal it again, as whoever made it up would."""
    manifest = json.loads((run / "manifest.json").read_bytes())
    edit(manifest)
    (run / "manifest.json").write_text(json.dumps(seal_manifest(manifest)))


def put(manifest: dict, dotted: str, value: object) -> None:
    *parts, last = dotted.split(".")
    for part in parts:
        manifest = manifest[part]
    manifest[last] = value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recipe.determinism", "hope"),
        ("metrics.subgroups", {"sex": {"rows": 3}}),
        ("metrics.subgroups", ["sex"]),
        ("volatile.duration_s", "soon"),
        ("volatile.interruptions", 3),
        ("selection", "the best"),
        ("selection", {"weights_epoch": "last"}),
        ("ops_without_deterministic_kernel", 3),
        ("controls_untaken", 3),
        ("trace.steps", [3]),
    ],
)
def test_a_sealed_manifest_of_nonsense_is_refused(run: Path, field: str, value: object):
    edit_manifest(run, lambda manifest: put(manifest, field, value))
    with pytest.raises(CxrError) as caught:
        load_run_records(run)
    assert str(caught.value).count("\n") == 2


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("predictions.csv", "\n", "\nx"),
        ("predictions.csv", "0.", "7."),
        ("predictions.csv", "0.", "nan0."),
        ("metrics.jsonl", '"epoch":0', '"epoch":99'),
        ("metrics.jsonl", '"train_loss":', '"train_loss":1e300'),
        ("metrics.jsonl", '"train_loss":', '"train_loss":"'),
        ("data.lock.json", '"label":"', '"label":"no '),
        ("config.yaml", "seed:", "sead:"),
        ("env.json", "{", "[{"),
    ],
)
def test_damaged_records_are_refused(run: Path, name: str, old: str, new: str):
    path = run / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(CxrError) as caught:
        load_run_records(run)
    # Of a config, every field that is wrong has a line below the second.
    lines = str(caught.value).splitlines()
    assert len(lines) == 3 or name == "config.yaml"
    assert name in caught.value.where


def test_what_was_changed_since_is_told_first(run: Path):
    (run / "model.safetensors").write_bytes(b"")
    report = build_run_report(load_run_records(run), replicates=0)
    page = render_page(report)
    assert "Nothing below can be relied on" in page
    assert page.index("model.safetensors: was changed") < page.index('<h2 id="recipe-heading"')


def test_a_record_of_an_older_version_has_every_figure(run: Path):
    records = load_run_records(run)
    analysis = analyse_run(records, replicates=0)
    assert analysis is not None
    assert analysis.figures["brier_score"] is not None
    for name, value in records.manifest["metrics"].items():
        if name in analysis.figures and isinstance(value, float):
            assert analysis.figures[name] == value
    assert analysis.thresholds["chosen_on"] is None


def test_ten_thousand_classes_with_names_to_break_a_page_make_a_short_one(run: Path):
    names = [f"<script>{number}</script>\u202e\"' " for number in range(10_000)]
    lock = json.loads((run / "data.lock.json").read_bytes())
    for sample in lock["samples"]:
        sample["label"] = names[len(sample["path"]) % 7]
    lock["classes"] = names
    (run / "data.lock.json").write_text(json.dumps(lock))
    rows = [sample for sample in lock["samples"] if sample["split"] == "test"][:2]
    columns = [f"{kind}:{name}" for kind in ("logit", "probability") for name in names]
    quoted = ",".join('"{}"'.format(one.replace('"', '""')) for one in columns)
    lines = [f"path,label,decision,{quoted}"]
    for row in rows:
        label = '"{}"'.format(row["label"].replace('"', '""'))
        lines.append(f"{row['path']},{label},{label}," + ",".join(["0.0"] * 20_000))
    (run / "predictions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    records = load_run_records(run)
    assert analyse_run(records, replicates=0) is None
    page = render_page(build_run_report(records, replicates=0))
    assert f"more than {MOST_CLASSES} classes" in page
    assert "9,950 more classes are not shown" in page
    assert len(page) < 300_000
    assert list_faults(page) == []


def test_the_library_gives_the_same_page_whatever_the_hash_seed():
    # The program sets one hash seed for itself; whoever calls the library has another.
    code = (
        "import sys; from pathlib import Path;"
        "from cxr.reports.html.page import render_page;"
        "from cxr.reports.html.run_records import load_run_records;"
        "from cxr.reports.html.run_report import build_run_report;"
        "records = load_run_records(Path(sys.argv[1]));"
        "sys.stdout.write(render_page(build_run_report(records, replicates=50)))"
    )
    pages = set()
    for seed in ("1", "2", "3"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONUTF8": "1"}
        finished = subprocess.run(
            [sys.executable, "-c", code, str(RELEASED)],
            capture_output=True,
            check=True,
            env=environment,
        )
        pages.add(finished.stdout)
    assert len(pages) == 1
    assert len(pages.pop()) > 10_000


@pytest.mark.parametrize(
    ("stopped", "said"),
    [
        ([], "3 h"),
        (["10:30"], "1 h 30 min, without the 1 h 30 min that it lay still"),
        (["10:30", None], "3 h from start to end, with the time that it lay still"),
        (["never said"], "3 h from start to end, with the time that it lay still"),
    ],
)
def test_a_run_did_not_take_the_time_that_it_lay_still(
    run: Path, stopped: list[str | None], said: str
):
    stops: list[dict[str, str | None]] = [
        {
            "resumed": "2026-01-01T12:00:00.000+00:00",
            "stopped": f"2026-01-01T{time}:00.000+00:00" if time else None,
        }
        for time in stopped
    ]
    if "never said" in stopped:
        del stops[0]["stopped"]
    edit_manifest(
        run, lambda content: content["volatile"].update(duration_s=10800.0, interruptions=stops)
    )
    records = load_run_records(run)
    time = dict(
        fact
        for block in describe_verdict(records, None).blocks
        if isinstance(block, Facts)
        for fact in block.facts
    )["Time"]
    assert time == said
    duration = RESULT_ANSWERS["duration"](records, None)
    assert duration is not None
    assert duration.startswith(f"{said}; ")
