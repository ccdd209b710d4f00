"""The command gives the same bytes for the same records, whatever is around its process."""

from __future__ import annotations

import shutil

import pytest

from support.program import read_answer, read_error, run_cxr

OTHER = {"upset": frozenset({(1, "gradients", "w")}), "logits": ((0.75, 0.25), (0.5, 0.75))}
AROUND = {"PYTHONHASHSEED": "77", "TZ": "Asia/Kolkata", "LC_ALL": "C", "LANG": "de_DE"}


@pytest.mark.parametrize("options", [(), ("--markdown",)])
def test_equal_records_of_several_runs_give_equal_bytes(trained, tmp_path, options):
    runs = [trained(), trained(**OTHER), trained(config={"seed": 3}, **OTHER)]
    moved = [
        shutil.copytree(run, tmp_path / "other" / f"{9 - place}") for place, run in enumerate(runs)
    ]
    first, second = tmp_path / "a", tmp_path / "b"
    answer = read_answer(run_cxr("report", *runs, "--json", "--out", first, *options))
    assert (answer["status"], answer["verified"]) == ("different", True)
    settings = {"env": AROUND, "cwd": tmp_path, "variables_backwards": True}
    finished = run_cxr("report", *moved, "--out", second, *options, **settings)
    assert finished.returncode == 0, finished.stderr
    assert second.read_bytes() == first.read_bytes()
    assert str(tmp_path).encode() not in first.read_bytes()


def test_a_repeat_beside_a_run_is_refused(trained, tmp_path):
    (tmp_path / "repeat.json").write_text("{}", "utf-8")
    error = read_error(run_cxr("report", trained(), tmp_path), code=2)
    assert "repeat was named beside" in error[0]
