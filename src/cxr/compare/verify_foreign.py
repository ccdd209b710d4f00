"""Checking what the manifest of a foreign training loop or command repeats of its own files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cxr.compare.verify_findings import Finding, take
from cxr.digests.canonical import digest_json
from cxr.environment.facts import digest_environment
from cxr.errors import RecordError
from cxr.json_file import load_json_object
from cxr.records.foreign_record import NATIVE
from cxr.records.manifest import LOOP_SCHEMA, Manifest
from cxr.records.run_directory import ENVIRONMENT, LOOP_CONFIG, MANIFEST


def check_foreign(directory: Path, manifest: Manifest, spoiled: set[str]) -> list[Finding]:
    """Check config, environment and digests of a training loop, or of a command.

    Args:
        directory: The record's directory.
        manifest: Its manifest.
        spoiled: Files known to be changed: what the manifest repeats of them is not compared.
    """
    findings = list(_check_recipe(manifest))
    if ENVIRONMENT not in spoiled:
        findings += _check_environment(directory, manifest)
    if manifest["schema"] == LOOP_SCHEMA and LOOP_CONFIG not in spoiled:
        findings += _check_config(directory, manifest)
    return findings


def _check_recipe(manifest: Manifest) -> Iterator[Finding]:
    """Compare the digests of recipe and outcome with what they are digests of."""
    recipe, outcome = take(manifest, "recipe"), take(manifest, "outcome")
    if recipe.get("code_digest") != take(manifest, "code").get("digest"):
        yield Finding(MANIFEST, "recipe.code_digest is not the digest of code")
    if manifest["schema"] == LOOP_SCHEMA:
        return
    command = take(manifest, "command")
    said = [
        ("command", recipe.get("command_digest"), _list_command(command)),
        ("inputs", recipe.get("inputs_digest"), manifest.get("inputs")),
    ]
    if "outcome" in manifest:
        said.append(("outputs", outcome.get("outputs_digest"), manifest.get("outputs")))
    for field, wanted, value in said:
        if digest_json(value) != wanted:
            yield Finding(MANIFEST, f"{field} is not what {field}_digest is the digest of")


def _list_command(command: dict[str, Any]) -> list[Any]:
    return [command.get("arguments"), command.get("program")]


def _check_environment(directory: Path, manifest: Manifest) -> Iterator[Finding]:
    """Compare the capture with what the manifest repeats of it."""
    try:
        capture = load_json_object(directory / ENVIRONMENT)
    except RecordError as error:
        yield Finding(ENVIRONMENT, f"cannot be read: {error.problem}")
        return
    if digest_environment(capture, NATIVE) != manifest.get("environment_digest"):
        yield Finding(ENVIRONMENT, "its content is not the one of environment_digest")
    if manifest.get("libraries") != capture.get("packages"):
        yield Finding(MANIFEST, f"libraries are not the packages of {ENVIRONMENT}")
    if manifest.get("recorder") != capture.get("code"):
        yield Finding(MANIFEST, f"recorder is not the code of {ENVIRONMENT}")


def _check_config(directory: Path, manifest: Manifest) -> Iterator[Finding]:
    """Compare the hyperparameters with those that the manifest repeats."""
    try:
        found = load_json_object(directory / LOOP_CONFIG)
    except RecordError as error:
        yield Finding(LOOP_CONFIG, f"cannot be read: {error.problem}")
        return
    if found != take(manifest, "config").get("recipe"):
        yield Finding(MANIFEST, f"config is not what {LOOP_CONFIG} says")
