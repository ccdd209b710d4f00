"""The statement is one that other people's readers accept, and follows from the run alone."""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement as OtherStatement

from cxr.attestation.attest import attest_run
from cxr.attestation.statement import derive_statement
from cxr.digests.files import digest_file
from support.attesting import SIGNER, STORED_RUN, read_statement
from support.fabricated_runs import Fabricated

DIGEST = f"sha256:{'ab' * 32}"


def derive(directory: Path, **options: Any) -> dict[str, Any]:
    manifest = json.loads((directory / "manifest.json").read_bytes())
    capture = json.loads((directory / "env.json").read_bytes())
    return derive_statement(manifest, digest_file(directory / "manifest.json"), capture, **options)


def list_dependencies(statement: dict[str, Any]) -> list[dict[str, Any]]:
    return statement["predicate"]["buildDefinition"]["resolvedDependencies"]


@pytest.mark.parametrize("with_times", [True, False])
@pytest.mark.parametrize("stored", [True, False])
def test_other_readers_accept_it_with_no_field_unknown(run: Path, stored: bool, with_times: bool):  # noqa: FBT001
    directory = STORED_RUN if stored else run
    statement = derive(directory, with_times=with_times)
    text = json.dumps(statement)
    message = json_format.Parse(text, statement_pb2.Statement())
    OtherStatement.copy_from_pb(message).validate()
    predicate = json.dumps(statement["predicate"])
    provenance = json_format.Parse(predicate, provenance_pb2.Provenance())
    assert provenance.build_definition.build_type == "urn:cxr:build-type:train:v1"
    details = provenance.run_details
    described = [
        *message.subject,
        *provenance.build_definition.resolved_dependencies,
        *details.byproducts,
    ]
    for one in described:
        ResourceDescriptor.copy_from_pb(one).validate()
        assert one.uri or one.digest
    assert details.metadata.HasField("started_on") == with_times
    assert details.metadata.HasField("finished_on") == with_times
    if with_times:
        started = json.loads((directory / "manifest.json").read_bytes())["volatile"]["started"]
        assert details.metadata.started_on.ToMilliseconds() % 1000 == int(started[20:23])


def test_a_reader_that_knows_the_fields_refuses_a_misspelt_one(run: Path):
    predicate = derive(run)["predicate"]
    predicate["buildDefinition"]["resolvedDependency"] = []
    with pytest.raises(json_format.ParseError):
        json_format.Parse(json.dumps(predicate), provenance_pb2.Provenance())


def test_it_names_every_file_with_its_digest(run: Path):
    subjects = {one["name"]: one["digest"] for one in derive(run)["subject"]}
    files = {path.name for path in run.iterdir()}
    assert subjects.keys() == files > {"manifest.json", "model.safetensors", "predictions.csv"}
    assert "ledger.jsonl" in subjects
    for name, digest in subjects.items():
        assert digest == {"sha256": hashlib.sha256((run / name).read_bytes()).hexdigest()}


def test_it_repeats_what_the_manifest_says_of_recipe_and_outcome(run: Path):
    manifest = json.loads((run / "manifest.json").read_bytes())
    predicate = derive(run)["predicate"]
    definition = predicate["buildDefinition"]
    assert definition["externalParameters"] == {
        "config": manifest["config"]["recipe"],
        "configDigest": manifest["recipe"]["config_digest"],
        "seed": 1,
        "determinism": "strict",
    }
    assert "internalParameters" not in definition
    assert predicate["runDetails"]["metadata"] == {"invocationId": manifest["manifest_digest"]}
    assert predicate["runDetails"]["byproducts"] == [
        {"name": name, "digest": {"sha256": manifest[f"{name}_digest"].removeprefix("sha256:")}}
        for name in ("outcome", "trace", "environment")
    ]
    data = manifest["recipe"]["data_digest"].removeprefix("sha256:")
    assert list_dependencies(derive(run))[0] == {"name": "data", "digest": {"sha256": data}}


def test_an_edited_checkout_is_not_told_to_be_its_commit(tmp_path: Path):
    changes = {"code.dirty": True, "code.version": "0.2.0"}
    run = Fabricated(computed=True, code=DIGEST, environment=changes).write(tmp_path / "run")
    sources, commit = list_dependencies(derive(run))[1:3]
    assert sources == {
        "name": "cxr",
        "uri": "pkg:generic/cxr@0.2.0",
        "digest": {"sha256": "ab" * 32},
    }
    assert commit == {
        "name": "commit",
        "digest": {"gitCommit": "0" * 40},
        "annotations": {"dirty": True},
    }


def test_without_git_there_is_no_commit(tmp_path: Path):
    run = Fabricated(environment={"code.commit": None, "code.dirty": None}).write(tmp_path / "run")
    names = [one.get("name") for one in list_dependencies(derive(run))]
    assert names == ["data", "cxr", None, None]


def test_packages_are_named_by_version_and_by_where_they_are_from(tmp_path: Path):
    environment = {
        "packages": {"cxr": "0.1.0", "torch": "2.9+cu126", "Forge_x": "1.0", "rich": "14"},
        "origins": {"torch": "wheel py3-none-any", "Forge_x": "git abc"},
    }
    run = Fabricated(computed=True).write(tmp_path / "run")
    capture = json.loads((run / "env.json").read_bytes()) | environment
    manifest = json.loads((run / "manifest.json").read_bytes())
    found = list_dependencies(derive_statement(manifest, DIGEST, capture))
    assert [one["uri"] for one in found if one.keys() == {"uri"}] == [
        "pkg:generic/Forge_x@1.0",
        "pkg:pypi/rich@14",
        "pkg:pypi/torch@2.9%2Bcu126",
    ]


def test_given_weights_and_the_portable_arithmetic_are_told(run: Path):
    manifest = json.loads((run / "manifest.json").read_bytes())
    manifest["recipe"] |= {"weights_in": DIGEST, "arithmetic": 3}
    origin = {"source": "hub", "repo": "timm/x", "revision": "abc", "file_sha256": DIGEST}
    statement = derive_statement(manifest | {"weights_origin": origin}, DIGEST, {})
    definition = statement["predicate"]["buildDefinition"]
    assert definition["internalParameters"] == {"arithmetic": 3}
    assert definition["resolvedDependencies"][1] == {
        "name": "weights_in",
        "digest": {"sha256": "ab" * 32},
        "annotations": origin,
    }


def test_no_time_and_no_path_of_this_machine_is_signed(run: Path):
    text = json.dumps(derive(run))
    manifest = json.loads((run / "manifest.json").read_bytes())
    assert manifest["volatile"]["started"][:10] not in text
    assert str(run) not in text
    assert "/data" not in text


def test_what_it_is_derived_from_is_not_changed(run: Path):
    manifest = json.loads((run / "manifest.json").read_bytes())
    before = copy.deepcopy(manifest)
    derive_statement(manifest, DIGEST, {})
    assert manifest == before


def test_what_is_signed_is_what_is_derived(run: Path):
    found = attest_run(run, SIGNER)
    assert read_statement(found.path) == derive(run)
    assert found.num_subjects == len(list(run.iterdir()))
    assert found.path == run.with_name("run.attestation.json")
