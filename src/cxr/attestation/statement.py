"""What is signed of a run: an in-toto Statement with SLSA provenance, and nothing that it invents.

The statement follows from the run's files alone. So a signer need not be believed in what the
statement says of the run: whoever checks it derives it once more. Its format is written down in
``docs/formats/attestation.md``.
"""

from __future__ import annotations

from typing import Any, Final

from cxr.attestation.package_urls import derive_package_url
from cxr.compare.verify_findings import take
from cxr.digests.canonical import PREFIX
from cxr.environment.facts import Capture
from cxr.environment.packages import UNKNOWN
from cxr.records.manifest import Manifest
from cxr.records.run_directory import MANIFEST

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
"""Source: https://github.com/in-toto/attestation, ``spec/v1/envelope.md``."""

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
"""Source: https://github.com/in-toto/attestation, ``spec/v1/statement.md``."""

PREDICATE_TYPE: Final = "https://slsa.dev/provenance/v1"
"""Source: https://slsa.dev/spec/v1.0/provenance."""

# Of the TypeURIs of in-toto, which may lead nowhere; no host is ours to name.
BUILD_TYPE: Final = "urn:cxr:build-type:train:v1"
BUILDER: Final = "urn:cxr:builder:local:v1"

STARTED: Final = "startedOn"
FINISHED: Final = "finishedOn"

_TIMES: Final = ((STARTED, "started"), (FINISHED, "finished"))
_BYPRODUCTS: Final = ("outcome", "trace", "environment")

Statement = dict[str, Any]
Descriptor = dict[str, Any]


def derive_statement(
    manifest: Manifest, manifest_file: str, capture: Capture, *, with_times: bool = False
) -> Statement:
    """Return the statement about a completed run.

    Args:
        manifest: Of the run; its fields were checked.
        manifest_file: ``sha256:<hex>`` of the manifest's file.
        capture: The run's ``env.json``.
        with_times: Whether to say when the run began and ended.
    """
    subjects = list_subjects(manifest, manifest_file)
    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            {"name": name, "digest": _derive_digest(digest)}
            for name, digest in sorted(subjects.items())
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": _derive_build_definition(manifest, capture),
            "runDetails": _derive_run_details(manifest, capture, with_times=with_times),
        },
    }


def list_subjects(manifest: Manifest, manifest_file: str) -> dict[str, str]:
    """Return ``sha256:<hex>`` of the manifest and of every file that it names, by name."""
    named = {name: str(digest) for name, digest in take(manifest, "files").items()}
    return {**named, MANIFEST: manifest_file}


def _derive_build_definition(manifest: Manifest, capture: Capture) -> dict[str, Any]:
    """Return what went in."""
    recipe = manifest["recipe"]
    definition = {
        "buildType": BUILD_TYPE,
        "externalParameters": {
            "config": manifest["config"]["recipe"],
            "configDigest": recipe["config_digest"],
            "seed": recipe["seed"],
            "determinism": recipe["determinism"],
        },
        "resolvedDependencies": [
            {"name": "data", "digest": _derive_digest(recipe["data_digest"])},
            *_list_weights(manifest),
            *_list_code(recipe["code_digest"], take(capture, "code")),
            *_list_libraries(capture),
        ],
    }
    if "arithmetic" in recipe:
        definition["internalParameters"] = {"arithmetic": recipe["arithmetic"]}
    return definition


def _list_weights(manifest: Manifest) -> list[Descriptor]:
    """Return the weights that the run was given, if any; by content and, where known, by file."""
    digest = manifest["recipe"]["weights_in"]
    if digest is None:
        return []
    found: Descriptor = {"name": "weights_in", "digest": _derive_digest(digest)}
    origin = take(manifest, "weights_origin")
    return [{**found, "annotations": origin} if origin else found]


def _list_code(code_digest: str, code: dict[str, Any]) -> list[Descriptor]:
    """Return cxr's sources and, apart from them, the commit that they may have been changed since.

    In one descriptor the commit would stand for the sources also where somebody edited them: two
    descriptors match where any of their digests does.
    """
    version = str(code.get("version", UNKNOWN))
    sources = {
        "name": "cxr",
        "uri": derive_package_url("cxr", version, "directory"),
        "digest": _derive_digest(code_digest),
    }
    commit = code.get("commit")
    if not isinstance(commit, str):
        return [sources]
    dirty = code.get("dirty")
    return [
        sources,
        {"name": "commit", "digest": {"gitCommit": commit}, "annotations": {"dirty": dirty}},
    ]


def _list_libraries(capture: Capture) -> list[Descriptor]:
    """Return every installed package but cxr by its package URL, in name order."""
    origins = take(capture, "origins")
    return [
        {"uri": derive_package_url(name, str(version), str(origins.get(name, UNKNOWN)))}
        for name, version in sorted(take(capture, "packages").items())
        if name != "cxr"
    ]


def _derive_run_details(
    manifest: Manifest, capture: Capture, *, with_times: bool
) -> dict[str, Any]:
    """Return which run it was, and what else came out."""
    metadata = {"invocationId": manifest["manifest_digest"]}
    if with_times:
        metadata |= {name: _derive_timestamp(manifest["volatile"][kept]) for name, kept in _TIMES}
    return {
        "builder": {
            "id": BUILDER,
            "version": {"cxr": str(take(capture, "code").get("version", UNKNOWN))},
        },
        "metadata": metadata,
        "byproducts": [
            {"name": name, "digest": _derive_digest(manifest[f"{name}_digest"])}
            for name in _BYPRODUCTS
        ],
    }


def _derive_digest(digest: str) -> dict[str, str]:
    """Return a digest as in-toto has it."""
    return {"sha256": digest.removeprefix(PREFIX)}


def _derive_timestamp(text: str) -> str:
    """Return a time of a manifest, which is in UTC, as RFC 3339 with the letter that says so."""
    return text.replace("+00:00", "Z")
