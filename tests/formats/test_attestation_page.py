"""What the pages say of attestations holds: the schema, the example, and the check without cxr."""

from __future__ import annotations

import base64
import copy
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cxr.attestation.attest import attest_run
from cxr.attestation.statement import BUILD_TYPE, derive_statement
from support.attesting import GOLDEN, SIGNER, STORED_RUN, read_statement, write_keys
from support.fabricated_runs import Fabricated
from support.program import build_environment

DOCS = Path(__file__).parents[2] / "docs"
DIGEST = f"sha256:{'ab' * 32}"
Statement = dict[str, Any]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return json.loads((DOCS / "formats" / "attestation.schema.json").read_bytes())


@pytest.fixture(scope="module")
def validator(schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("signed") / "run"
    return Fabricated(computed=True, code=DIGEST).write(place)


@pytest.fixture(scope="module")
def envelope(run: Path) -> Path:
    return attest_run(run, SIGNER, with_times=True).path


def find_blocks(page: str, kind: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{kind}\n(.*?)```", text, flags=re.DOTALL)


def test_what_is_signed_is_as_the_schema_says(
    schema: dict[str, Any], validator: jsonschema.Draft202012Validator, envelope: Path, run: Path
):
    manifest = json.loads((run / "manifest.json").read_bytes())
    manifest["recipe"] |= {"weights_in": DIGEST, "arithmetic": 2}
    manifest["weights_origin"] = {"source": "file", "file_sha256": DIGEST}
    full = derive_statement(manifest, DIGEST, json.loads((run / "env.json").read_bytes()))
    assert list(validator.iter_errors(full)) == []
    file = {"$schema": schema["$schema"], "$defs": schema["$defs"], "$ref": "#/$defs/envelope"}
    for path in (envelope, GOLDEN):
        assert list(validator.iter_errors(read_statement(path))) == []
        jsonschema.validate(json.loads(path.read_bytes()), file)
    assert schema["title"] == BUILD_TYPE


@pytest.mark.parametrize(
    "spoil",
    [
        lambda it: it.update(more=1),
        lambda it: it["subject"].clear(),
        lambda it: it["subject"][0].update(name="../manifest.json"),
        lambda it: it["subject"][0].update(name="/etc/passwd"),
        lambda it: it["subject"][0].pop("digest"),
        lambda it: it["subject"][0]["digest"].update(sha256="sha256:ab"),
        lambda it: it.update(
            subject=[one for one in it["subject"] if "manifest" not in one["name"]]
        ),
        lambda it: it["predicate"]["buildDefinition"].update(buildType="urn:x:y"),
        lambda it: it["predicate"]["buildDefinition"]["externalParameters"].pop("seed"),
        lambda it: it["predicate"]["buildDefinition"]["resolvedDependencies"].pop(0),
        lambda it: it["predicate"]["buildDefinition"]["resolvedDependencies"].append({}),
        lambda it: it["predicate"]["runDetails"]["byproducts"].pop(),
        lambda it: it["predicate"]["runDetails"]["metadata"].pop("finishedOn"),
        lambda it: it["predicate"]["runDetails"]["metadata"].update(startedOn="yesterday"),
        lambda it: it["predicate"]["runDetails"].pop("builder"),
    ],
)
def test_another_statement_is_not(
    validator: jsonschema.Draft202012Validator, envelope: Path, spoil: Callable[[Statement], Any]
):
    statement = copy.deepcopy(read_statement(envelope))
    spoil(statement)
    assert list(validator.iter_errors(statement)) != []


def test_the_example_is_a_statement(validator: jsonschema.Draft202012Validator):
    [example] = find_blocks("formats/attestation.md", "json")
    assert list(validator.iter_errors(json.loads(example))) == []


def test_every_field_is_told_of(validator: jsonschema.Draft202012Validator, envelope: Path):
    page = (DOCS / "formats" / "attestation.md").read_text(encoding="utf-8")
    statement = read_statement(envelope)
    predicate = statement["predicate"]
    definition, details = predicate["buildDefinition"], predicate["runDetails"]
    for names in (statement, definition["externalParameters"], details["metadata"]):
        for name in names.keys() - {"predicate"}:
            assert re.search(rf"`[\w.]*{name}`", page), name
    for one in (*definition["resolvedDependencies"], *details["byproducts"]):
        assert f"`{one['name']}`" in page if "name" in one else "`pkg:pypi/…`" in page
    assert validator.schema["title"] in page


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory as on the page: a run, its attestation, and the public key."""
    shutil.copytree(STORED_RUN, tmp_path / "runs" / "a")
    shutil.rmtree(tmp_path / "runs" / "a" / "evaluations")
    attest_run(tmp_path / "runs" / "a", SIGNER)
    write_keys(tmp_path).unlink()
    return tmp_path


def check_without_cxr(place: Path) -> subprocess.CompletedProcess[str]:
    [script] = find_blocks("attestation.md", "python")
    assert len(script.splitlines()) <= 22
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=place,
        capture_output=True,
        text=True,
        env=build_environment(blocked=["cxr", "torch", "numpy"]),
        check=False,
    )


def test_the_check_without_cxr_finds_every_file_as_signed(place: Path):
    finished = check_without_cxr(place)
    files = sorted(path for path in (place / "runs" / "a").rglob("*") if path.is_file())
    names = [path.relative_to(place / "runs" / "a").as_posix() for path in files]
    assert (finished.returncode, finished.stderr) == (0, "")
    assert sorted(finished.stdout.splitlines()) == sorted(f"{name} as signed" for name in names)
    [shown] = find_blocks("attestation.md", "text")
    assert all(re.fullmatch(r"\S+ as signed", line) for line in shown.splitlines())


def test_the_check_without_cxr_finds_what_is_not(place: Path):
    run = place / "runs" / "a"
    (run / "added.txt").touch()
    (run / "config.yaml").unlink()
    with (run / "predictions.csv").open("ab") as stream:
        stream.write(b"\n")
    lines = check_without_cxr(place).stdout.splitlines()
    assert [line.split()[0] for line in lines if "NOT" in line] == [
        "added.txt",
        "config.yaml",
        "predictions.csv",
    ]
    path = place / "runs" / "a.attestation.json"
    document = json.loads(path.read_bytes())
    payload = base64.b64decode(document["payload"]).replace(b'"seed":1', b'"seed":2')
    document["payload"] = base64.b64encode(payload).decode("ascii")
    path.write_text(json.dumps(document), encoding="ascii")
    finished = check_without_cxr(place)
    assert (finished.returncode, finished.stdout) == (1, "")
    assert "InvalidSignature" in finished.stderr
