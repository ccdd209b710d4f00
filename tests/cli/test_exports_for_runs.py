"""An export where a run is asked for: told so, and not called damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.program import read_error, run_cxr
from support.signed_exports import write_export


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "export", "--out", "page.html"],
        ["report", "run", "export", "--out", "page.html"],
        ["evaluate", "export"],
        ["export", "export", "other"],
        ["publish", "export", "a/b", "--tag", "v1"],
    ],
    ids=" ".join,
)
def test_an_export_is_not_taken_for_the_run(tmp_path: Path, arguments: list[str]):
    write_export(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    problem, where, hint = read_error(run_cxr(*arguments, cwd=tmp_path), code=3)
    assert problem == "that is the export of a run, not the run"
    assert where.endswith("export")
    assert "name the run" in hint
    assert sorted(tmp_path.rglob("*")) == before
