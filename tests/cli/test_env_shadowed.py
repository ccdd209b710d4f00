"""A library that stands before the installed one is named wherever environments are compared."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import timm

from support.program import read_answer, run_cxr
from support.recipes import vectors
from support.runs import FinishedRuns

ROOT = Path(__file__).parents[2]
DO = "unset PYTHONPATH, and start where no timm/ or timm.py lies"


@pytest.fixture(scope="module")
def shadowed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables under which another timm is imported than the one that is installed."""
    place = tmp_path_factory.mktemp("shadow")
    installed = Path(timm.__file__).parent
    (place / "timm").mkdir()
    for path in installed.iterdir():
        if path.name not in ("__init__.py", "__pycache__"):
            (place / "timm" / path.name).symlink_to(path)
    text = (installed / "__init__.py").read_text(encoding="utf-8")
    (place / "timm" / "__init__.py").write_text(text + "\nEDITED = True\n", encoding="utf-8")
    known = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(place), known]))}


@pytest.mark.parametrize("against", ["run", "manifest", "capture", "lock"])
def test_it_is_not_verified(
    against: str, shadowed: dict[str, str], finished_run: FinishedRuns, tmp_path: Path
):
    reference = finished_run(vectors()).directory
    if against == "manifest":
        reference /= "manifest.json"
    elif against == "capture":
        reference = tmp_path / "env.json"
        assert run_cxr("env", "capture", "-q", "--out", reference).returncode == 0
    elif against == "lock":
        reference = ROOT / "uv.lock"
    finished = run_cxr("env", "verify", reference, "--json", "-q", env=shadowed)
    assert finished.returncode == 1
    told = {one["field"]: one for one in read_answer(finished)["differences"]}
    one = told["imported.timm"]
    assert one["found"].startswith("elsewhere sha256:")
    assert (one["expected"], one["affects_bits"], one["do"]) == ("as installed", "yes", DO)


def test_a_run_with_it_differs_from_one_without(
    shadowed: dict[str, str], finished_run: FinishedRuns, tmp_path: Path
):
    run = finished_run(vectors())
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(vectors()), encoding="utf-8")
    out = tmp_path / "run"
    trained = run_cxr("train", "-q", "--config", config, "--out", out, env=shadowed)
    assert trained.returncode == 0, trained.stderr
    answer = read_answer(run_cxr("diff", run.directory, out, "--json", "-q"))
    fields = [one["field"] for one in answer["differences"] if one["affects_bits"] == "yes"]
    assert fields == ["imported.timm"]


def test_the_doctor_and_a_capture_name_it(shadowed: dict[str, str]):
    doctor = run_cxr("doctor", "--json", "-q", env=shadowed)
    assert doctor.returncode == 1
    [check] = [one for one in read_answer(doctor)["checks"] if one["name"] == "imports"]
    assert (check["ok"], check["mend"]) == (False, DO)
    assert check["found"].startswith("not from where it was installed: timm")
    shown = run_cxr("env", "capture", env=shadowed).stdout
    assert "imports    not from where it was installed: timm\n" in shown
