from __future__ import annotations

import json
import math

import pytest

from cxr.digests.canonical import canonical_json, digest_json
from cxr.digests.files import digest_file
from cxr.errors import RecordError
from cxr.records.manifest import (
    EVALUATION_SCHEMA,
    REPEAT_SCHEMA,
    RUN_SCHEMA,
    digest_files,
    is_sealed,
    load_manifest,
    seal_manifest,
    write_manifest,
)
from cxr.records.run_directory import EVALUATIONS, LOCK, MANIFEST

CONTENT = {"schema": RUN_SCHEMA, "status": "completed", "metrics": {"loss": 0.1, "auroc": None}}


def test_the_seal_is_the_digest_of_everything_else():
    sealed = seal_manifest(CONTENT)
    assert sealed == {**CONTENT, "manifest_digest": digest_json(CONTENT)}
    assert is_sealed(sealed)


def test_an_old_seal_is_replaced():
    sealed = seal_manifest({**CONTENT, "manifest_digest": "sha256:old"})
    assert sealed == seal_manifest(CONTENT)


@pytest.mark.parametrize(
    "edited",
    [
        {"status": "failed"},
        {"metrics": {"loss": 0.2, "auroc": None}},
        {"metrics": {"loss": 0.1, "auroc": 0}},
        {"metrics": {"loss": 0.1}},
        {"more": None},
        {"manifest_digest": "sha256:" + "0" * 64},
        {"manifest_digest": None},
        {"metrics": {"loss": math.nan, "auroc": None}},
    ],
)
def test_any_edit_breaks_the_seal(edited):
    assert not is_sealed({**seal_manifest(CONTENT), **edited})


def test_a_manifest_without_a_seal_is_not_sealed():
    assert not is_sealed(CONTENT)


def test_what_is_written_is_canonical_and_reads_back(tmp_path):
    written = write_manifest(tmp_path, CONTENT)
    assert (tmp_path / MANIFEST).read_bytes() == canonical_json(written) + b"\n"
    assert load_manifest(tmp_path) == written
    assert is_sealed(load_manifest(tmp_path))


def test_the_end_replaces_the_beginning(tmp_path):
    write_manifest(tmp_path, {**CONTENT, "status": "running"})
    write_manifest(tmp_path, CONTENT)
    assert load_manifest(tmp_path)["status"] == "completed"
    assert [path.name for path in tmp_path.iterdir()] == [MANIFEST]


def test_a_directory_without_a_manifest_is_no_run(tmp_path):
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(RecordError, match="not a run directory") as caught:
            load_manifest(path)
        assert caught.value.where == str(path)


@pytest.mark.parametrize("schema", [None, "cxr.manifest/2", REPEAT_SCHEMA, 1, ["x"]])
def test_another_schema_is_refused_by_its_name(tmp_path, schema):
    (tmp_path / MANIFEST).write_text(json.dumps({"schema": schema}), encoding="utf-8")
    with pytest.raises(RecordError, match="the manifest has the schema"):
        load_manifest(tmp_path)


def test_a_later_evaluation_is_read(tmp_path):
    write_manifest(tmp_path, {**CONTENT, "schema": EVALUATION_SCHEMA})
    assert load_manifest(tmp_path)["schema"] == EVALUATION_SCHEMA


def test_files_of_a_run_are_digested_by_posix_path(tmp_path):
    names = ["config.yaml", "checkpoints/step-1.json", "inner/manifest.json", "inner/run.lock"]
    left_out = [MANIFEST, LOCK, f"{EVALUATIONS}/test-1/manifest.json", ".config.yaml.1.tmp"]
    for name in [*names, *left_out]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    assert digest_files(tmp_path) == {name: digest_file(tmp_path / name) for name in names}
