from __future__ import annotations

import json
import shutil

import pytest

from cxr.digests.canonical import canonical_json
from cxr.errors import RecordError
from cxr.records.manifest import REPEAT_SCHEMA, seal_manifest
from cxr.records.run_directory import METRICS, REPEAT
from cxr.repeat.report import summarise_runs
from cxr.repeat.verify_record import verify_record


@pytest.fixture
def repeat(make_run, tmp_path):
    """Two runs and the answer of a repeat beside them."""
    place = tmp_path / "repeat"
    place.mkdir()
    names = ["run-1", "run-2"]
    for name in names:
        shutil.move(make_run(computed=True), place / name)
    report = summarise_runs([place / name for name in names], 2)
    content = {**report.to_json(), "runs": names, "schema": REPEAT_SCHEMA}
    (place / REPEAT).write_bytes(canonical_json(seal_manifest(content)))
    return place


def edit(repeat, *, seal=True, **changes):
    content = {**json.loads((repeat / REPEAT).read_bytes()), **changes}
    (repeat / REPEAT).write_bytes(canonical_json(seal_manifest(content) if seal else content))


def describe(repeat):
    return [(finding.path, finding.problem) for finding in verify_record(repeat).findings]


def test_a_repeat_as_it_was_written_is_consistent(repeat):
    found = verify_record(repeat)
    assert (found.status, found.findings) == ("zero-variance", [])
    assert found.num_files == 1 + sum(verify_record(repeat / f"run-{n}").num_files for n in (1, 2))


def test_an_edit_is_named_sealed_or_not(repeat):
    edit(repeat, verdict="variance", seal=False)
    assert describe(repeat) == [
        (REPEAT, "was edited: its content has another manifest_digest"),
        (REPEAT, "verdict is not what the runs give"),
    ]
    edit(repeat, verdict="zero-variance", excluded_rate=0.1)
    assert describe(repeat) == [(REPEAT, "excluded_rate is not what the runs give")]


def test_a_changed_run_is_named_by_its_place(repeat):
    (repeat / "run-2" / METRICS).write_bytes(b"")
    [(path, _)] = describe(repeat)
    assert path == f"run-2/{METRICS}"


def test_a_run_that_was_removed_or_added_is_named(repeat):
    (repeat / "run-2").rename(repeat / "run-3")
    problems = dict(describe(repeat)[-2:])
    assert problems["run-3"] == "was added: the repeat does not name it"
    assert problems["run-2"] == "not a run directory: it holds no manifest.json"


@pytest.mark.parametrize(
    "changes", [{"schema": "other"}, {"n": "2"}, {"runs": ["../outside"]}, {"runs": ["a/b"]}]
)
def test_what_is_no_repeat_is_refused(repeat, changes):
    edit(repeat, **changes)
    with pytest.raises(RecordError, match="not a repeat"):
        verify_record(repeat)
