from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cxr.errors import RecordError
from cxr.evaluation.looks import list_looks

STORED = Path(__file__).parents[2] / "formats" / "v0.1.0" / "run"


@pytest.fixture
def run(tmp_path):
    """A stored run that evaluated test, with one later evaluation of val."""
    return shutil.copytree(STORED, tmp_path / "run")


def add_look(run, name, split, finished):
    [first] = (STORED / "evaluations").iterdir()
    place = shutil.copytree(first, run / "evaluations" / name)
    manifest = json.loads((place / "manifest.json").read_bytes())
    manifest |= {"split": split, "volatile": {"finished": finished}}
    (place / "manifest.json").write_text(json.dumps(manifest))


def test_the_end_of_a_run_is_its_first_look_and_each_evaluation_of_the_split_another(run):
    assert [look.record for look in list_looks(run)] == ["."]
    add_look(run, "test-2", "test", "2027-01-02T00:00:00+00:00")
    add_look(run, "test-1", "test", "2027-01-01T00:00:00+00:00")
    found = [look.record for look in list_looks(run)]
    assert found == [".", "evaluations/test-1", "evaluations/test-2"]
    assert len(list_looks(run, "val")) == 1
    assert list_looks(run, "train") == []


def test_what_a_killed_evaluation_left_is_no_look_and_a_damaged_one_is_no_silence(run):
    (run / "evaluations" / ".killed").mkdir()
    assert len(list_looks(run)) == 1
    (run / "evaluations" / "test-1").mkdir()
    with pytest.raises(RecordError):
        list_looks(run)
