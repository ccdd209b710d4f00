"""Comparing what went into two runs, each difference once and without its consequences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from cxr.compare.report import Affects, Difference
from cxr.determinism.environment import FIXED_VARIABLES, LEFT_AS_FOUND, THREAD_VARIABLES
from cxr.determinism.levels import Level
from cxr.records.data_lock import Sample, load_data_lock
from cxr.records.facts import find_levels, flatten_environment
from cxr.records.json_file import load_json_object
from cxr.records.manifest import Manifest
from cxr.records.run_directory import DATA_LOCK, ENVIRONMENT

_MISSING: Final = None

_CONSEQUENCES: Final = {
    "torch.num_threads": "threads",
    **dict.fromkeys(THREAD_VARIABLES, "threads"),
    "torch.deterministic_warn_only": "determinism",
    "torch.fill_uninitialized_memory": "fill_memory",
}
"""Switches that follow from a config field: one difference, not two."""

_MAKE_SAMPLES: Final = ("data.synthetic.", "data.source", "data.classes")
"""Beginnings of config fields from which every sample follows."""

_MAKE_ASPECTS: Final = {
    "split": {"data.split_seed", "data.validation_fraction", "data.group_pattern"},
    "label": {"data.class_globs"},
}
"""Config fields from which an image's split or label follows."""

_FOLLOWING_FACTS: Final = {
    "numerics.cpu_capability": "variables.ATEN_CPU_CAPABILITY",
    "images.canaries_changed": "images.canaries",
}
"""Facts that follow from another one, where that differs too."""

_IN_ENVIRONMENT: Final = frozenset({"torch.cpu_capability", *LEFT_AS_FOUND})
"""Switches that the environment's capture holds as well."""


def find_differences(
    a: Path, b: Path, manifest_a: Manifest, manifest_b: Manifest
) -> list[Difference]:
    """Return every difference of two runs' inputs, those that affect bits first.

    Args:
        a: The first run's directory.
        b: The second's.
        manifest_a: The first run's manifest.
        manifest_b: The second's.

    Raises:
        RecordError: A lock or capture that has to be looked into cannot be read.
    """
    level = Level(manifest_a["recipe"]["determinism"])
    found = [
        *_compare_config(manifest_a, manifest_b),
        *_compare_data(a, b, manifest_a, manifest_b),
        *_compare_digest("code", "code_digest", manifest_a, manifest_b),
        *_compare_digest("weights", "weights_in", manifest_a, manifest_b),
        *_compare_environment(a, b, level),
        *_compare_controls(manifest_a, manifest_b),
    ]
    rank = {"yes": 0, "unknown": 1, "no": 2}
    return sorted(found, key=lambda difference: rank[difference.affects_bits])


def _compare_config(a: Manifest, b: Manifest) -> Iterator[Difference]:
    """Compare every config field that is no path."""
    fields_a, fields_b = _merge_config(a), _merge_config(b)
    affecting = {*a["config"]["recipe"], *b["config"]["recipe"]}
    if a["config"]["recipe"].get("data.source") == "synthetic":
        # Vectors are made from these fields: their pixels are a consequence.
        affecting |= {name for name in fields_a if name.startswith("data.synthetic.")}
    for name in {**fields_a, **fields_b}:
        value_a, value_b = fields_a.get(name, _MISSING), fields_b.get(name, _MISSING)
        # Which file was named follows from which weights were given: weights_in says that.
        follows = name == "model.weights.sha256" and value_a and value_b
        if value_a != value_b and not follows:
            affects: Affects = "yes" if name in affecting else "no"
            yield Difference(part="config", field=name, a=value_a, b=value_b, affects_bits=affects)


def _merge_config(manifest: Manifest) -> dict[str, Any]:
    return {**manifest["config"]["recipe"], **manifest["config"]["rest"]}


def _compare_data(
    a: Path, b: Path, manifest_a: Manifest, manifest_b: Manifest
) -> Iterator[Difference]:
    """Compare the samples, unless the config already says why they differ."""
    if manifest_a["recipe"]["data_digest"] == manifest_b["recipe"]["data_digest"]:
        return
    changed = {difference.field for difference in _compare_config(manifest_a, manifest_b)}
    if any(name.startswith(_MAKE_SAMPLES) for name in changed):
        return
    follows = {aspect for aspect, names in _MAKE_ASPECTS.items() if changed & names}
    samples_a = {sample.path: sample for sample in load_data_lock(a / DATA_LOCK).samples}
    samples_b = {sample.path: sample for sample in load_data_lock(b / DATA_LOCK).samples}
    only_a = [samples_a[path] for path in samples_a.keys() - samples_b.keys()]
    only_b = [samples_b[path] for path in samples_b.keys() - samples_a.keys()]
    relabelled = _match_relabelled(only_a, only_b)
    for path in sorted(samples_a.keys() & samples_b.keys()):
        yield from _compare_samples(samples_a[path], samples_b[path], follows)
    for sample_a, sample_b in relabelled:
        yield from _compare_samples(sample_a, sample_b, follows)
    paired = {sample.path for pair in relabelled for sample in pair}
    for sample in sorted([*only_a, *only_b], key=lambda sample: sample.path):
        if sample.path not in paired:
            yield _describe_lone(sample, in_a=sample.path in samples_a)


def _match_relabelled(only_a: list[Sample], only_b: list[Sample]) -> list[tuple[Sample, Sample]]:
    """Pair images that moved to another class folder: the same name, bytes and split."""
    waiting = {_identity(sample): sample for sample in only_b}
    pairs = []
    for sample in sorted(only_a, key=lambda sample: sample.path):
        moved = waiting.pop(_identity(sample), None)
        if moved is not None:
            pairs.append((sample, moved))
    return pairs


def _identity(sample: Sample) -> tuple[str, str, str]:
    return PurePosixPath(sample.path).name, sample.sha256, sample.split


def _compare_samples(a: Sample, b: Sample, follows: set[str]) -> Iterator[Difference]:
    """Compare one image's pixels, label and split, but for what follows from the config."""
    for aspect, field, value_a, value_b in (
        ("pixels", a.path, a.sha256, b.sha256),
        ("label", f"{a.path}#label", a.label, b.label),
        ("split", f"{a.path}#split", a.split, b.split),
    ):
        if value_a != value_b and aspect not in follows:
            yield Difference(part="data", field=field, a=value_a, b=value_b, affects_bits="yes")


def _describe_lone(sample: Sample, *, in_a: bool) -> Difference:
    """Describe an image that only one run has."""
    values = (sample.sha256, None) if in_a else (None, sample.sha256)
    return Difference(part="data", field=sample.path, a=values[0], b=values[1], affects_bits="yes")


def _compare_digest(part: Any, field: str, a: Manifest, b: Manifest) -> Iterator[Difference]:
    """Compare one digest of the recipe; other sources may or may not compute other bits."""
    value_a, value_b = a["recipe"][field], b["recipe"][field]
    if value_a != value_b:
        affects: Affects = "unknown" if part == "code" else "yes"
        yield Difference(part=part, field=field, a=value_a, b=value_b, affects_bits=affects)


def _compare_environment(a: Path, b: Path, level: Level) -> Iterator[Difference]:
    """Compare captured facts; variables that cxr sets itself are switches, compared as such."""
    facts_a = flatten_environment(load_json_object(a / ENVIRONMENT))
    facts_b = flatten_environment(load_json_object(b / ENVIRONMENT))
    own = {f"variables.{name}" for name in (*FIXED_VARIABLES, *THREAD_VARIABLES)}
    own.add("python.hash_randomization")
    changed = {name for name in {**facts_a, **facts_b} if facts_a.get(name) != facts_b.get(name)}
    for name in {**facts_a, **facts_b}:
        value_a, value_b = facts_a.get(name), facts_b.get(name)
        explained = name in own or _FOLLOWING_FACTS.get(name) in changed
        if name in changed and not explained:
            affects: Affects = "yes" if level in find_levels(name) else "no"
            yield Difference(
                part="environment", field=name, a=value_a, b=value_b, affects_bits=affects
            )


def _compare_controls(a: Manifest, b: Manifest) -> Iterator[Difference]:
    """Compare switches as read back, leaving out those that follow from the config."""
    controls_a, controls_b = a["controls"], b["controls"]
    changed = {difference.field for difference in _compare_config(a, b)}
    for name in {**controls_a, **controls_b}:
        value_a, value_b = controls_a.get(name), controls_b.get(name)
        explained = _CONSEQUENCES.get(name) in changed or name in _IN_ENVIRONMENT
        if value_a != value_b and not explained:
            yield Difference(
                part="environment",
                field=f"controls.{name}",
                a=value_a,
                b=value_b,
                affects_bits="yes",
            )
