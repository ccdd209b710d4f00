from __future__ import annotations

import json

import pytest

from cxr.compare.paired_runs import compare_paired_runs
from cxr.digests.canonical import canonical_json
from cxr.errors import RecordError
from cxr.records.data_lock import load_data_lock
from cxr.records.manifest import digest_files
from cxr.records.run_directory import DATA_LOCK

LOGITS = ((0.75, 0.25), (0.25, 0.75))


@pytest.fixture
def runs(make_run):
    return make_run(), make_run(logits=LOGITS)


def edit_lock(run, change):
    content = json.loads((run / DATA_LOCK).read_bytes())
    change(content["samples"])
    (run / DATA_LOCK).write_bytes(canonical_json(content) + b"\n")


def merge_patients(samples):
    for sample in samples:
        sample["group"] = "one"


def remove_first(samples):
    del samples[0]


def test_two_runs_are_compared_over_the_images_of_both(runs):
    found = compare_paired_runs(*runs, replicates=20)
    assert (found["num_images"], found["num_groups"]) == (2, 2)


@pytest.mark.parametrize("change", [merge_patients, remove_first])
def test_an_edited_lock_is_not_believed(runs, change):
    edit_lock(runs[0], change)
    with pytest.raises(RecordError, match=r"data\.lock\.json was changed") as caught:
        compare_paired_runs(*runs, replicates=20)
    assert caught.value.where == str(runs[0] / DATA_LOCK)


@pytest.mark.parametrize("logit", ["nan", "inf", "1e39"])
def test_a_logit_that_is_none_is_a_record_error(make_run, logit):
    runs = make_run(), make_run(logits=((float(logit), 0.5), (0.25, 0.75)))
    with pytest.raises(RecordError, match=r"a logit of 'test/A/5\.png' is none"):
        compare_paired_runs(*runs, replicates=20)


def test_a_prediction_of_no_sample_is_a_record_error(runs, edit_manifest):
    edit_lock(runs[0], remove_first)
    named = {"files": digest_files(runs[0])}
    edit_manifest(runs[0], lambda manifest: manifest.update(named), seal=True)
    with pytest.raises(RecordError, match="the data lock is not that of the run"):
        compare_paired_runs(*runs, replicates=20)
    digest = load_data_lock(runs[0] / DATA_LOCK).digest
    edit_manifest(
        runs[0], lambda manifest: manifest["recipe"].update(data_digest=digest), seal=True
    )
    with pytest.raises(RecordError, match="an image that was predicted is no sample") as caught:
        compare_paired_runs(*runs, replicates=20)
    assert caught.value.where == "test/A/5.png"
