"""Comparing what went into two runs, each difference once and without its consequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

from cxr.compare.report import Affects, Difference
from cxr.compare.samples import compare_samples
from cxr.determinism.levels import Level
from cxr.determinism.variables import OWN_VARIABLES, THREAD_VARIABLES
from cxr.environment.comparison import SET_FOR_RUNS, compare_captures
from cxr.environment.facts import ARITHMETIC
from cxr.records.manifest import Manifest
from cxr.records.named_files import load_named_lock, load_named_object
from cxr.records.run_directory import DATA_LOCK, ENVIRONMENT

_MISSING: Final = None

_CONSEQUENCES: Final = {
    "torch.num_threads": "threads",
    "thread_pools.num_threads": "threads",
    **dict.fromkeys(THREAD_VARIABLES, "threads"),
    "torch.deterministic_warn_only": "determinism",
    "torch.fill_uninitialized_memory": "fill_memory",
}
"""Switches that follow from a config field: one difference, not two."""

_PORTABLE_SWITCHES: Final = frozenset({"torch.default_dtype", "torch.denormals_kept"})
"""Switches of which the portable arithmetic makes use; no other reaches its bits."""

_NAME_WEIGHTS: Final = "model.weights"
"""Beginning of the config fields that say where given weights are."""


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
        RecordError: A lock or capture that has to be looked into cannot be read, or is not the one
            that the manifest names.
    """
    level = Level(manifest_a["recipe"]["determinism"])
    found = [
        *_compare_config(manifest_a, manifest_b),
        *_compare_data((a, manifest_a), (b, manifest_b)),
        *_compare_digest("code", "code_digest", manifest_a, manifest_b),
        *_compare_digest("code", "arithmetic", manifest_a, manifest_b),
        *_compare_digest("weights", "weights_in", manifest_a, manifest_b),
        *compare_environments(
            (a, manifest_a), (b, manifest_b), level, told=_name_told(manifest_a, manifest_b)
        ),
        *compare_controls(
            manifest_a, manifest_b, level, changed=_name_changed(manifest_a, manifest_b)
        ),
    ]
    return sort_differences(found)


def sort_differences(found: Iterable[Difference]) -> list[Difference]:
    """Return differences, those that affect bits first and those that do not last."""
    rank = {"yes": 0, "unknown": 1, "no": 2}
    return sorted(found, key=lambda difference: rank[difference.affects_bits])


def _compare_config(a: Manifest, b: Manifest) -> Iterator[Difference]:
    """Compare every config field that is no path."""
    fields_a, fields_b = _merge_config(a), _merge_config(b)
    affecting = {*a["config"]["recipe"], *b["config"]["recipe"]}
    # Which weights were named shows in which were given: weights_in says that.
    other_weights = a["recipe"]["weights_in"] != b["recipe"]["weights_in"]
    for name in {**fields_a, **fields_b}:
        value_a, value_b = fields_a.get(name, _MISSING), fields_b.get(name, _MISSING)
        follows = other_weights and name.startswith(_NAME_WEIGHTS)
        if value_a != value_b and not follows:
            affects: Affects = "yes" if name in affecting else "no"
            yield Difference(part="config", field=name, a=value_a, b=value_b, affects_bits=affects)


def _merge_config(manifest: Manifest) -> dict[str, Any]:
    return {**manifest["config"]["recipe"], **manifest["config"]["rest"]}


def _compare_data(a: tuple[Path, Manifest], b: tuple[Path, Manifest]) -> Iterator[Difference]:
    """Compare the samples, unless both manifests name one lock: recipes tell nothing of groups."""
    manifest_a, manifest_b = a[1], b[1]
    named = [one.get("files", {}).get(DATA_LOCK) for one in (manifest_a, manifest_b)]
    is_same = manifest_a["recipe"]["data_digest"] == manifest_b["recipe"]["data_digest"]
    if not is_same or None in named or named[0] != named[1]:
        changed = _name_changed(manifest_a, manifest_b)
        locks = [load_named_lock(*run) for run in (a, b)]
        yield from compare_samples(locks[0], locks[1], changed)


def _compare_digest(part: Any, field: str, a: Manifest, b: Manifest) -> Iterator[Difference]:
    """Compare one digest of the recipe; other sources may or may not compute other bits.

    The version of the arithmetic stands only in recipes of the level ``portable``.
    """
    value_a, value_b = a["recipe"].get(field), b["recipe"].get(field)
    # Other levels differ as a field of the config does.
    if value_a != value_b and not (field == "arithmetic" and None in (value_a, value_b)):
        affects: Affects = "unknown" if field == "code_digest" else "yes"
        yield Difference(part=part, field=field, a=value_a, b=value_b, affects_bits=affects)


def _name_told(a: Manifest, b: Manifest) -> set[str]:
    """Name the facts that are compared as something else: the arithmetic that both recipes name."""
    return {ARITHMETIC} if all("arithmetic" in one["recipe"] for one in (a, b)) else set()


def _name_changed(a: Manifest, b: Manifest) -> set[str]:
    """Name the config fields that differ."""
    return {difference.field for difference in _compare_config(a, b)}


def compare_environments(
    a: tuple[Path, Manifest],
    b: tuple[Path, Manifest],
    level: Level,
    *,
    told: AbstractSet[str] = frozenset(),
) -> Iterator[Difference]:
    """Compare captured facts; what cxr sets itself are switches, compared as such.

    Args:
        a: The first record's directory and its manifest.
        b: The second's.
        level: At which a fact affects bits or not.
        told: Facts that are compared elsewhere.

    Raises:
        RecordError: A capture cannot be read, or is not the one that the manifest names.
    """
    environment_a, environment_b = (
        load_named_object(run, ENVIRONMENT, manifest) for run, manifest in (a, b)
    )
    for one in compare_captures(environment_a, environment_b, level):
        if one.field not in {*SET_FOR_RUNS, *told}:
            yield Difference(
                part="environment",
                field=one.field,
                a=one.expected,
                b=one.found,
                affects_bits=one.affects_bits,
            )


def compare_controls(
    a: Manifest, b: Manifest, level: Level, *, changed: AbstractSet[str]
) -> Iterator[Difference]:
    """Compare switches as read back, leaving out those that follow from a config field.

    What the environment's capture holds as well is compared there: the processor's instruction
    sets, and the variables that are the user's own choice. A switch that one run's version of cxr
    did not read is not known to differ.

    Args:
        a: The first record's manifest.
        b: The second's.
        level: At which a switch affects bits or not.
        changed: Config fields that differ.
    """
    controls_a, controls_b = a["controls"], b["controls"]
    for name in controls_a:
        if name not in controls_b:
            continue
        value_a, value_b = controls_a[name], controls_b[name]
        captured = name == "torch.cpu_capability" or (name.isupper() and name not in OWN_VARIABLES)
        if value_a != value_b and not captured and _CONSEQUENCES.get(name) not in changed:
            reaches = level is not Level.PORTABLE or name in _PORTABLE_SWITCHES
            yield Difference(
                part="environment",
                field=f"controls.{name}",
                a=value_a,
                b=value_b,
                affects_bits="yes" if reaches else "no",
            )
