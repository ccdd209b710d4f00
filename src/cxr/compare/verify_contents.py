"""Checking what the manifest repeats of its files: one edit would have to be made in all of them.

A manifest that was edited and sealed again agrees with itself. So whatever it says that a file of
the run says too is taken from that file once more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cxr.compare.verify_figures import check_figures
from cxr.compare.verify_findings import Finding, take
from cxr.compare.verify_resampled import check_resampled
from cxr.config.data_section import DataConfig
from cxr.config.load import load_config
from cxr.data.preprocessing import DIGEST, FIELD, describe_fields, digest_preprocessing
from cxr.determinism.levels import Level
from cxr.digests.files import digest_file
from cxr.digests.weights_file import digest_weights_file
from cxr.environment.facts import Capture, digest_environment
from cxr.errors import ConfigError, RecordError
from cxr.json_file import load_json_object
from cxr.records.data_lock import load_data_lock
from cxr.records.manifest import Manifest
from cxr.records.run_directory import (
    CONFIG,
    DATA_LOCK,
    ENVIRONMENT,
    MANIFEST,
    PREDICTIONS,
    WEIGHTS,
)
from cxr.records.run_record import describe_config


def check_run(
    directory: Path, manifest: Manifest, spoiled: set[str], irregular: set[str]
) -> list[Finding]:
    """Check what a run's manifest says of weights, predictions, samples, config and environment.

    Args:
        directory: The run directory.
        manifest: Its manifest.
        spoiled: Files known to be changed: what the manifest repeats of them is not compared.
        irregular: Those of them that are no regular files, which are not read at all.
    """
    outcome, recipe = take(manifest, "outcome"), take(manifest, "recipe")
    findings = [
        finding
        for name, digest, wanted, field in (
            (WEIGHTS, digest_weights_file, outcome.get("weights_digest"), "weights_digest"),
            (PREDICTIONS, digest_file, outcome.get("predictions_digest"), "predictions_digest"),
            (DATA_LOCK, _digest_lock, recipe.get("data_digest"), "data_digest"),
        )
        if wanted is not None and name not in irregular
        for finding in _compare(directory / name, digest, wanted, field)
    ]
    if ENVIRONMENT not in irregular:
        findings += _check_environment(directory, manifest, recipe.get("determinism"))
    spoiled = spoiled | {finding.path for finding in findings}
    if PREDICTIONS not in spoiled:
        findings += _check_predicted(directory, manifest, recipe.get("determinism"), spoiled)
    if CONFIG not in spoiled:
        findings += _check_config(directory, manifest)
    if ENVIRONMENT not in spoiled:
        capture = load_json_object(directory / ENVIRONMENT)
        findings += _check_libraries(capture, manifest)
        if recipe.get("code_digest") != take(capture, "code").get("digest"):
            findings.append(Finding(MANIFEST, f"code_digest is not what {ENVIRONMENT} says"))
        code = {name: take(manifest, "code").get(name) for name in take(capture, "code")}
        # Manifests of 0.1.0 do not repeat it.
        if "code" in manifest and code != capture["code"]:
            findings.append(Finding(MANIFEST, f"code is not what {ENVIRONMENT} says"))
    return findings


def check_evaluation(
    directory: Path, manifest: Manifest, spoiled: set[str], irregular: set[str]
) -> list[Finding]:
    """Check what a later evaluation's manifest says of its predictions and environment.

    Its arguments are those of `check_run`.
    """
    findings: list[Finding] = []
    if PREDICTIONS not in irregular:
        wanted = manifest.get("predictions_digest")
        findings += _compare(directory / PREDICTIONS, digest_file, wanted, "predictions_digest")
    if ENVIRONMENT not in irregular:
        findings += _check_environment(directory, manifest, manifest.get("determinism"))
    spoiled = spoiled | {finding.path for finding in findings}
    if PREDICTIONS not in spoiled:
        findings += _check_predicted(directory, manifest, manifest.get("determinism"), spoiled)
    if ENVIRONMENT not in spoiled:
        findings += _check_libraries(load_json_object(directory / ENVIRONMENT), manifest)
    return findings


def _check_predicted(
    directory: Path, manifest: Manifest, level: Any, spoiled: set[str]
) -> Iterator[Finding]:
    """Check all that is computed from predictions."""
    findings = list(check_figures(directory, manifest, level))
    # Of what was changed, or cannot be computed with, that is said once.
    yield from (one for one in findings if one.path == MANIFEST or one.path not in spoiled)
    if PREDICTIONS not in {finding.path for finding in findings}:
        yield from check_resampled(directory, manifest, level)


def _compare(
    path: Path, digest: Callable[[Path], str], wanted: Any, field: str
) -> Iterator[Finding]:
    """Compare the digest of a file's content with the manifest's."""
    try:
        found = digest(path)
    except (OSError, ValueError, RecordError) as error:
        yield Finding(path.name, f"cannot be read: {' '.join(str(error).split())[:100]}")
        return
    if found != wanted:
        yield Finding(path.name, f"its content is not the one of {field}")


def _digest_lock(path: Path) -> str:
    return load_data_lock(path).digest


def _check_config(directory: Path, manifest: Manifest) -> Iterator[Finding]:
    """Compare the fields that the manifest repeats with the resolved config."""
    try:
        config = load_config(directory / CONFIG)
    except ConfigError as error:
        yield Finding(CONFIG, f"is not read: {error.problem}")
        return
    described = describe_config(config)
    found = {**described["recipe"], **described["rest"]}
    kept = take(manifest, "config")
    said = {**take(kept, "recipe"), **take(kept, "rest")}
    for name in sorted(said):
        if name not in found or found[name] != said[name]:
            yield Finding(MANIFEST, f"config.{name} is not what {CONFIG} says")
    yield from _check_preprocessing(config.data, manifest)
    recipe, seeds = take(manifest, "recipe"), take(manifest, "seeds")
    has_key = config.data.pseudonym_key is not None
    for name, value, wanted in (
        # A run from before there were keys does not say.
        ("pseudonyms", manifest.get("pseudonyms", has_key), has_key),
        ("name", manifest.get("name"), config.name),
        ("recipe.seed", recipe.get("seed"), config.seed),
        ("recipe.determinism", recipe.get("determinism"), str(config.determinism)),
        ("seeds.root", seeds.get("root"), config.seed),
        ("seeds.streams", seeds.get("streams", {}), config.list_own_roots()),
    ):
        if value != wanted:
            yield Finding(MANIFEST, f"{name} is not what {CONFIG} says")


def _check_preprocessing(config: DataConfig, manifest: Manifest) -> Iterator[Finding]:
    """Compare the fields of the preprocessing with the config's; older runs have none."""
    if FIELD not in manifest:
        return
    kept = take(manifest, FIELD)
    if manifest.get(DIGEST) != digest_preprocessing(kept):
        yield Finding(MANIFEST, f"{DIGEST} is not the digest of {FIELD}")
    for name, value in describe_fields(config).items():
        if name not in kept or kept[name] != value:
            yield Finding(MANIFEST, f"{FIELD}.{name} is not what {CONFIG} says")


def _check_environment(directory: Path, manifest: Manifest, level: Any) -> Iterator[Finding]:
    """Compare the facts that affect bits with the manifest's digest of them."""

    def digest_capture(path: Path) -> str:
        return digest_environment(load_json_object(path), Level(str(level)))

    wanted = manifest.get("environment_digest")
    yield from _compare(directory / ENVIRONMENT, digest_capture, wanted, "environment_digest")


def _check_libraries(capture: Capture, manifest: Manifest) -> Iterator[Finding]:
    """Compare the versions that the manifest repeats with the capture's."""
    if manifest.get("libraries") != capture.get("packages"):
        yield Finding(MANIFEST, f"libraries are not the packages of {ENVIRONMENT}")
