"""``cxr doctor`` looks at the installation; its self-test finds what is planted, or says so."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cxr.cli.doctor import describe_found, show_selftest
from cxr.digests.canonical import canonical_json
from cxr.records.manifest import is_sealed
from support.places import PLANTED, elsewhere
from support.program import read_answer, read_error, run_cxr
from support.recipes import images
from support.runs import FinishedRuns

CONTROLS = {"untouched-vectors", "untouched-images", "evaluation-between"}

MISSED_WITH_BLIND_SPOTS = {
    "gradients": {"gradient-noise"},
    "labels": {"swapped-labels"},
    "samples": {"swapped-files", "changed-pixel"},
    "ops": {"op-named", "op-refused"},
    "doubling": {"unrepeatable-op"},
    "files": {"edited-checkpoint", "edited-line", "removed-line", "swapped-lines"},
    "chain": {"edited-line", "removed-line", "swapped-lines"},
}
"""Which cases each blind spot hides."""


def test_every_planted_fault_is_caught_and_the_record_says_where(
    finished_run: FinishedRuns,
    radiographs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
):
    place, out = tmp_path / "tmp", tmp_path / "new" / "selftest.json"
    place.mkdir()
    surroundings = elsewhere(tmp_path)
    surroundings["env"]["TMPDIR"] = str(place)
    finished = run_cxr("doctor", "--selftest", "--json", "--out", out, "-q", **surroundings)
    assert (finished.returncode, finished.stderr) == (0, "")
    record = read_answer(finished)
    assert out.read_bytes() == canonical_json(record) + b"\n"
    assert list(place.glob("cxr-*")) == []
    assert [name for name in (*PLANTED, str(tmp_path)) if name in finished.stdout] == []

    assert (record["schema"], record["verdict"]) == ("cxr.selftest/1", "all-caught")
    assert is_sealed(record)
    found = {case["name"]: case["found"] for case in record["cases"]}
    assert len(found) == len(record["cases"]) == len(record["volatile"]["cases_s"])
    assert {name for name, one in found.items() if one["verdict"] == "identical"} == CONTROLS
    assert found["gradient-noise"] == {
        "verdict": "different",
        "step": 4,
        "part": "gradients",
        "tensor": "backbone.1.weight",
        "fields": [],
    }
    # A run's record shows by this digest whether it is of a machine that was tested.
    run = finished_run(images(radiographs)).manifest
    assert record["environment_digest"] == run["environment_digest"]
    assert record["cxr"]["code_digest"] == run["recipe"]["code_digest"]

    show_selftest(record, quiet=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert f"all-caught: {len(found)} of {len(found)} cases" in lines


def test_blind_spots_are_reported_and_nothing_else_is(tmp_path: Path):
    """The self-test can fail: where gradients go unseen, it says so, and what was seen instead."""
    out, fault = tmp_path / "selftest.json", "blind-spots:" + ",".join(MISSED_WITH_BLIND_SPOTS)
    finished = run_cxr("doctor", "--selftest", "-q", "--out", out, fault=fault)
    lines = finished.stdout.splitlines()
    first = lines.index("not caught: gradient-noise")
    assert lines[first + 1 : first + 4] == [
        "  planted   1e-10 is added to a gradient at step 4",
        "  expected  different; step 4, gradients (backbone.1.weight)",
        "  found     different; step 4, optimizer (backbone.1.weight.exp_avg)",
    ]
    assert lines[-1].startswith("not-all-caught: ")
    record = json.loads(out.read_bytes())
    assert (finished.returncode, record["verdict"]) == (1, "not-all-caught")
    assert list_missed(record) == set().union(*MISSED_WITH_BLIND_SPOTS.values())


def test_runs_that_never_repeat_fail_the_controls_and_nothing_else():
    finished = run_cxr("doctor", "--selftest", "--json", "-q", fault="unlike-runs")
    record = read_answer(finished)
    assert (finished.returncode, record["verdict"]) == (1, "not-all-caught")
    assert list_missed(record) == CONTROLS


def list_missed(record: dict[str, Any]) -> set[str]:
    """Return the names of the cases that were not caught."""
    return {case["name"] for case in record["cases"] if not case["caught"]}


@pytest.mark.parametrize(
    ("fault", "problem", "code"),
    [
        ("stuck-threads", "a determinism switch did not take", 3),
        ("small-files:3000", "cannot write: ", 3),
        ("signal:4", "stopped by SIGINT", 130),
    ],
)
def test_what_cannot_be_run_to_its_end_is_said_and_leaves_nothing(
    tmp_path: Path, fault: str, problem: str, code: int
):
    place = tmp_path / "tmp"
    place.mkdir()
    out = tmp_path / "selftest.json"
    finished = run_cxr(
        *("doctor", "--selftest", "-q", "--out", out), fault=fault, env={"TMPDIR": str(place)}
    )
    said, _, hint = read_error(finished, code=code)
    assert said.startswith(problem)
    assert "--resume" not in hint
    assert finished.stdout == ""
    assert list(place.glob("cxr-*")) == []
    assert not out.exists()


def test_a_record_that_could_not_be_written_stops_before_anything_is_trained(tmp_path: Path):
    finished = run_cxr("doctor", "--selftest", "--out", tmp_path)
    assert read_error(finished, code=2)[1] == str(tmp_path)
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "selftest.json"
    assert read_error(run_cxr("doctor", "--selftest", "--out", out), code=3)[0] == (
        "cannot write: File exists"
    )
    (tmp_path / "repeat.json").touch()
    out = tmp_path / "selftest.json"
    assert read_error(run_cxr("doctor", "--selftest", "--out", out), code=2)[0] == (
        "the record of the self-test would be written into another record"
    )


def test_a_record_goes_with_the_selftest(tmp_path: Path):
    out = tmp_path / "selftest.json"
    problem, where, hint = read_error(run_cxr("doctor", "--out", out), code=2)
    assert (problem, where) == ("--out goes with --selftest", "cxr doctor")
    assert "cxr doctor --selftest --out FILE" in hint


def test_the_installation_is_looked_at():
    finished = run_cxr("doctor", "--json", "-q")
    answer = read_answer(finished)
    checks = {check["name"]: check for check in answer["checks"]}
    # Whether the sources are those of a commit, and what is installed those of a lock, is not for
    # this test to know.
    warned = {name for name, check in checks.items() if not check["ok"]}
    assert warned <= {"code", "lock"}
    assert finished.returncode == (answer["verdict"] != "healthy") == bool(warned)
    assert {name for name, check in checks.items() if check["mend"] is not None} == warned
    assert [name for name in checks if name != "lock"] == [
        *("python", "numpy", "torch", "torchvision", "timm", "switches", "cores"),
        *("decoders", "cache", "runs", "code", "gpu"),
    ]
    promises = answer["promises"]
    assert [*promises] == ["strict", "portable", "gpu"]
    assert promises["strict"] == {
        "holds": True,
        "why": "the same bits on this machine with this stack",
    }
    assert promises["portable"] == {
        "holds": True,
        "why": "the same bits on every machine it is tested on",
    }


def test_one_screen_says_first_what_can_be_promised():
    finished = run_cxr("doctor")
    lines = finished.stdout.splitlines()
    assert lines[:2] == [
        "strict   yes          the same bits on this machine with this stack",
        "portable yes          the same bits on every machine it is tested on",
    ]
    assert lines[2].startswith("gpu      ")
    assert lines[3] == ""
    assert len(lines) <= 24
    # The directories of a test have long names; those of people mostly have not.
    own = [line for line in lines if "/" not in line]
    assert len(own) > 10
    assert max(map(len, own)) <= 80
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert any(line.startswith(f"ok       cores        {cores} of ") for line in lines)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"fault": "stuck-threads"}, "switches: a determinism switch did not take: torch.num_thr"),
        ({"blocked": ["torch"]}, "torch: cannot be imported: torch is blocked in this test"),
        ({"fault": "changed-canary"}, None),
    ],
)
def test_strict_is_promised_only_where_it_can_be_kept(options: dict[str, Any], why: str | None):
    finished = run_cxr("doctor", "--json", "-q", **options)
    strict = read_answer(finished)["promises"]["strict"]
    assert finished.returncode == 1
    assert strict["holds"] == (why is None)
    assert why is None or strict["why"].startswith(why)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity on this system")
def test_fewer_cores_are_said_and_are_no_warning():
    finished = run_cxr("doctor", "--json", "-q", fault="one-core")
    checks = {check["name"]: check for check in read_answer(finished)["checks"]}
    assert checks["cores"]["ok"]
    assert checks["cores"]["found"].startswith("1 of ")


@pytest.mark.parametrize(
    ("options", "line", "mend"),
    [
        (
            {"fault": "changed-canary"},
            "warning  decoders     other pixels than expected: jpeg_grey",
            "uv sync --reinstall-package pillow",
        ),
        (
            {"fault": "stuck-threads"},
            "warning  switches     a determinism switch did not take: torch.num_threads is 3",
            "start it without what this shell has set: env -i",
        ),
        (
            {"blocked": ["torch"]},
            "warning  torch        cannot be imported: torch is blocked in this test",
            "uv sync --reinstall-package torch",
        ),
        (
            {"blocked": ["PIL"]},
            "warning  decoders     pillow cannot be imported: PIL is blocked in this test",
            "uv sync --reinstall-package pillow",
        ),
        (
            {"blocked": ["threadpoolctl"]},
            "warning  threadpoolctl cannot be imported: threadpoolctl is blocked in this test",
            "uv sync --reinstall-package threadpoolctl",
        ),
        (
            {"env": {"XDG_CACHE_HOME": "/dev/null"}},
            "warning  cache        cannot write: Not a directory (/dev/null/cxr/decoded)",
            "export XDG_CACHE_HOME=DIR",
        ),
    ],
    ids=["canary", "threads", "torch", "pillow", "threadpoolctl", "cache"],
)
def test_what_will_not_bear_is_a_warning(options: dict[str, Any], line: str, mend: str):
    finished = run_cxr("doctor", "-q", **options)
    assert (finished.returncode, finished.stderr) == (1, "")
    assert any(said.startswith(line) for said in finished.stdout.splitlines()), finished.stdout
    assert f"\n         do:          {mend}" in finished.stdout
    assert "ok " not in finished.stdout


def test_a_selftest_without_torch_says_what_is_missing():
    finished = run_cxr("doctor", "--selftest", blocked=["torch"])
    problem, _, hint = read_error(finished, code=3)
    assert problem == "a library cannot be imported: torch is blocked in this test"
    assert "cxr doctor" in hint


def test_what_is_found_is_one_line():
    findings = ["a: was changed", "b: is missing"]
    texts = [
        describe_found({"verdict": "identical", "step": None, "fields": []}),
        describe_found({"fields": ["threads"]}),
        describe_found({"verdict": "different", "step": -1, "part": "p", "tensor": "t"}),
        describe_found({"verdict": "differs", "findings": findings}),
        describe_found({"verdict": "differs", "findings": findings}, short=True),
        describe_found({"verdict": "completed", "ops": {"put_": 1}, "op": None}),
    ]
    assert texts == [
        "identical",
        "threads",
        "different; initial state, p (t)",
        "differs; a: was changed; b: is missing",
        "differs; b: is missing",
        "completed; op put_, calls: 1",
    ]
