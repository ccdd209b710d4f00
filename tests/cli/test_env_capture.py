"""``cxr env capture`` records what a run depends on, without torch and without names."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from support.distributions import plant_distribution
from support.places import PLANTED, elsewhere
from support.program import read_answer, read_error, run_cxr
from support.runs import HEAVY


def test_json_has_every_group_and_needs_no_heavy_library():
    finished = run_cxr("env", "capture", "--json", blocked=HEAVY)
    found = read_answer(finished)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert found.keys() == {
        "schema",
        "python",
        "os",
        "cpu",
        "gpu",
        "numerics",
        "switches",
        "variables",
        "packages",
        "origins",
        "installed",
        "lock",
        "code",
        "images",
    }
    assert found["packages"]["torch"] == version("torch")
    assert found["images"]["canaries_changed"] == []
    assert len(found["images"]["canaries"]) >= 4
    assert found["gpu"]["devices"] == "not_read"


def test_two_captures_are_equal_and_the_file_holds_the_same(tmp_path: Path):
    first = run_cxr("env", "capture", "--json", "--out", tmp_path / "env.json", "-q")
    assert first.stderr == ""
    assert json.loads((tmp_path / "env.json").read_bytes()) == read_answer(first)
    second = run_cxr("env-capture", "--out", tmp_path / "second.json")
    assert (second.stdout, second.stderr) == ("", f"written: {tmp_path / 'second.json'}\n")
    assert (tmp_path / "second.json").read_bytes() == (tmp_path / "env.json").read_bytes()


def test_a_person_is_shown_what_matters_first():
    lines = run_cxr("env", "capture").stdout.splitlines()
    assert lines[0].startswith(f"python     {'.'.join(map(str, sys.version_info[:3]))} (")
    assert f"torch      {version('torch')}" in lines
    assert lines[-1].startswith("packages   ")
    assert run_cxr("env", "capture", "-q").stdout == ""


def test_it_names_no_machine_no_person_and_no_home(tmp_path: Path):
    finished = run_cxr("env", "capture", "--json", **elsewhere(tmp_path))
    planted = [*PLANTED, str(tmp_path), sys.prefix]
    assert [name for name in planted if name in finished.stdout] == []
    assert read_answer(finished)["os"]["system"]


def test_a_decoder_that_gives_other_pixels_is_named():
    finished = run_cxr("env", "capture", "--json", fault="changed-canary")
    assert read_answer(finished)["images"]["canaries_changed"] == ["jpeg_grey"]
    assert finished.stderr == (
        "note: images decode to other pixels here than expected: jpeg_grey\n"
    )


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path):
    out = tmp_path / "nowhere" / "env.json"
    problem, where, _ = read_error(run_cxr("env", "capture", "--out", out, "--json"), code=3)
    assert problem == "cannot write: No such file or directory"
    assert where == str(out)


def test_a_bill_of_materials_is_one_valid_document_wherever_it_goes(tmp_path: Path):
    out = tmp_path / "bill.json"
    printed = run_cxr("env", "capture", "--format", "cyclonedx", blocked=HEAVY)
    assert (printed.returncode, printed.stderr) == (0, "")
    both = run_cxr("env", "capture", "--format", "cyclonedx", "--json", "--out", out, "-q")
    written = run_cxr("env", "capture", "--format", "cyclonedx", "--out", out)
    assert (written.stdout, written.stderr) == ("", f"written: {out}\n")
    assert out.read_text(encoding="ascii") == printed.stdout == both.stdout
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(printed.stdout)
    assert fault is None
    assert read_answer(printed)["metadata"]["component"]["name"] == "cxr"


def test_a_package_newer_than_the_lock_and_its_origin_are_told(tmp_path: Path):
    plant_distribution(tmp_path, "typer", "99.0", tags=["cp313-cp313-linux_x86_64"])
    plant_distribution(tmp_path, "stranger", "1.0", direct={"url": "x", "dir_info": {}})
    found = read_answer(
        run_cxr("env", "capture", "--json", env={"PYTHONPATH": str(tmp_path)}, blocked=HEAVY)
    )
    assert found["lock"]["digest"].startswith("sha256:")
    assert found["lock"]["differs"]["typer"]["installed"] == "99.0"
    assert found["lock"]["differs"]["typer"]["locked"].startswith("0.")
    assert found["lock"]["differs"]["stranger"] == {"locked": None, "installed": "1.0"}
    assert found["origins"]["typer"] == "wheel cp313-cp313-linux_x86_64"
    assert found["origins"]["stranger"] == "directory"
    assert found["origins"]["cxr"] == "editable"
    assert found["installed"] == "not_read"
