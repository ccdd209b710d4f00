"""Manifests of commands: a field that a reader builds on is there, or the record is refused."""

from __future__ import annotations

import pytest

from cxr.digests.canonical import canonical_json
from cxr.errors import RecordError
from cxr.records.foreign_manifest import load_sealed_foreign
from cxr.records.manifest import COMMAND_SCHEMA, seal_manifest
from cxr.records.run_directory import MANIFEST

BEGUN = {
    "schema": COMMAND_SCHEMA,
    "status": "failed",
    "recipe": {"inputs_digest": "sha256:0"},
    "recipe_digest": "sha256:1",
    "code": {},
    "environment_digest": "sha256:2",
    "volatile": {"started": "2026-01-01T00:00:00.000+00:00"},
    "command": {"arguments": ["make"], "program": {}},
    "declared": {"in": [], "out": ["*.txt"]},
    "inputs": {},
}
ENDED = {
    "outcome": {"exit_status": 1, "outputs_digest": "sha256:3"},
    "outcome_digest": "sha256:4",
    "outputs": {},
    "outputs_before": {},
}


def load(directory, manifest):
    (directory / MANIFEST).write_bytes(canonical_json(seal_manifest(manifest)))
    return load_sealed_foreign(directory)


def test_a_command_that_failed_may_have_an_outcome_or_none(tmp_path):
    assert load(tmp_path, BEGUN)["status"] == "failed"
    assert load(tmp_path, BEGUN | ENDED)["outputs"] == {}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"outcome": 0}, "outcome.exit_status"),
        ({"outcome": {"outputs_digest": "sha256:3"}}, "outcome.exit_status"),
        ({"outcome_digest": None}, "outcome_digest"),
        ({"outputs": []}, "outputs"),
        ({"outputs_before": "none"}, "outputs_before"),
    ],
)
@pytest.mark.parametrize("status", ["failed", "completed", "interrupted"])
def test_an_outcome_without_its_parts_is_refused(tmp_path, changes, named, status):
    with pytest.raises(RecordError, match=f"lacks or misspells .*{named}"):
        load(tmp_path, BEGUN | ENDED | changes | {"status": status})
