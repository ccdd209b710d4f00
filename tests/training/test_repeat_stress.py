"""``cxr repeat --stress`` finds what a repeat among equal surroundings cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.program import Finished, read_answer, run_cxr
from support.recipes import vectors, write_recipe
from support.runs import FinishedRuns

SOURCES = ("hash", "workers", "directory", "memory", "variables")


def repeat(place: Path, *options: str, fault: str = "") -> Finished[str]:
    config = write_recipe(place / "recipe.yaml", vectors())
    planted = f"in-run:*=surroundings:{fault}" if fault else ""
    command = ["-n", "2", "--jobs", "2", "-q", "--json", "--config", config, "--out", place / "out"]
    return run_cxr("repeat", *command, *options, fault=planted)


def test_nothing_that_is_varied_matters(tmp_path: Path, finished_run: FinishedRuns):
    finished = repeat(tmp_path, "--stress")
    answer = read_answer(finished)
    assert finished.returncode == 0, finished.stderr
    assert answer["verdict"] == "zero-variance"
    assert answer["outcome_digests"] == [finished_run(vectors()).digests[0]] * 2
    manifests = [json.loads((Path(run) / "manifest.json").read_bytes()) for run in answer["runs"]]
    # Nor is any of it a fact that affects bits.
    assert len({manifest["environment_digest"] for manifest in manifests}) == 1
    plain, stressed = (manifest["config"]["rest"]["workers"] for manifest in manifests)
    assert (plain, stressed != plain) == (1, True)
    varied = answer["varied"]
    assert list(varied) == ["run-2"]
    assert {text.partition("=")[0].partition(":")[0] for text in varied["run-2"]} >= {
        "load",
        "PYTHONHASHSEED",
        "workers",
        "working directory",
        "environment",
        "MALLOC_PERTURB_",
        "LANG and LC_ALL",
        "TZ",
        "umask",
        "standard streams",
    }
    record = json.loads((tmp_path / "out" / "repeat.json").read_bytes())
    assert (record["varied"], record["series"]) == (varied, {"kind": "stress"})
    assert (tmp_path / "out" / "run-2" / "manifest.json").stat().st_mode & 0o077 == 0
    verified = run_cxr("verify", tmp_path / "out")
    assert verified.returncode == 0, verified.stdout


def test_a_repeat_among_equal_surroundings_sees_none_of_them(tmp_path: Path):
    finished = repeat(tmp_path, fault=",".join(SOURCES))
    assert read_answer(finished)["verdict"] == "zero-variance"


@pytest.mark.parametrize("source", SOURCES)
def test_stress_sees_each(tmp_path: Path, source: str):
    finished = repeat(tmp_path, "--stress", fault=source)
    assert (finished.returncode, read_answer(finished)["verdict"]) == (1, "variance")
    out = tmp_path / "out"
    found = read_answer(run_cxr("diff", out / "run-1", out / "run-2", "--json"))
    assert found["first_divergence"] == {
        "step": 3,
        "epoch": 1,
        "what": "gradients",
        "tensor": "backbone.1.weight",
    }
    # Nothing that went in differs: these are no facts that affect bits.
    assert [one for one in found["differences"] if one["affects_bits"] == "yes"] == []
