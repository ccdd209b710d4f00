"""Comparing two trainings that cxr did not run itself, from their records alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from cxr.compare.diff import judge, require_known
from cxr.compare.divergence import find_first_divergence
from cxr.compare.figure_pairs import pair_figures
from cxr.compare.inputs import compare_controls, compare_environments, sort_differences
from cxr.compare.report import Difference, Divergence, LoopDiffReport
from cxr.records.foreign_manifest import load_sealed_foreign
from cxr.records.foreign_record import NATIVE
from cxr.records.manifest import Manifest


def diff_loops(a: Path, b: Path, tolerances: Mapping[str, float]) -> LoopDiffReport:
    """Compare two trainings of others.

    Args:
        a: The first record's directory.
        b: The second's.
        tolerances: Largest absolute difference allowed, by the framework's name of a figure.

    Raises:
        RecordError: A record is missing or was edited, or has no outcome to compare.
        UsageError: A tolerance names no figure of these trainings.
    """
    one, other = load_sealed_foreign(a), load_sealed_foreign(b)
    divergence = find_first_divergence((a, one), (b, other))
    # The framework's own figures, of either.
    figures = one.get("metrics", {}), other.get("metrics", {})
    metrics = pair_figures(*figures, {**figures[0], **figures[1]})
    require_known(metrics, tolerances)
    verdict = judge((a, one), (b, other), divergence, metrics, tolerances)
    differences = [
        *_compare_config(one, other),
        *_compare_framework(one, other),
        *compare_code(one, other),
        *compare_environments((a, one), (b, other), NATIVE),
        *compare_controls(one, other, NATIVE, changed=frozenset()),
    ]
    return LoopDiffReport(
        verdict=verdict,
        first_divergence=divergence,
        differences=sort_differences(differences),
        metrics=metrics,
        predictions=None,
        tolerances=dict(tolerances),
        note=_explain(divergence, one, other),
    )


def _explain(parted: Divergence | None, a: Manifest, b: Manifest) -> str | None:
    """Say what it means that batches differ: what stands before them in a step does not."""
    if parted is None or parted.what != "batch":
        return None
    if any("samples" in one.get("not_recorded", {}) for one in (a, b)):
        return "which samples the batches hold is not recorded: order or contents may differ"
    return "the same samples, loaded otherwise: look for augmentation that workers draw"


def compare_code(a: Manifest, b: Manifest) -> Iterator[Difference]:
    """Compare commit and uncommitted patch of the program, which may compute the same after all."""
    codes = a["code"], b["code"]
    if codes[0].get("digest") == codes[1].get("digest"):
        return
    # One commit with another patch is told by the digest of both.
    field = "commit" if codes[0].get("commit") != codes[1].get("commit") else "digest"
    yield Difference(
        part="code",
        field=field,
        a=codes[0].get(field),
        b=codes[1].get(field),
        affects_bits="unknown",
    )


def _compare_config(a: Manifest, b: Manifest) -> Iterator[Difference]:
    """Compare hyperparameters; which of them the framework's bits depend on, it does not say."""
    fields_a, fields_b = a["config"]["recipe"], b["config"]["recipe"]
    for name in {**fields_a, **fields_b}:
        if fields_a.get(name) != fields_b.get(name):
            yield Difference(
                part="config",
                field=name,
                a=fields_a.get(name),
                b=fields_b.get(name),
                affects_bits="unknown",
            )
    if a["recipe"].get("seed") != b["recipe"].get("seed"):
        yield Difference(
            part="config",
            field="seed",
            a=a["recipe"].get("seed"),
            b=b["recipe"].get("seed"),
            affects_bits="yes",
        )


def _compare_framework(a: Manifest, b: Manifest) -> Iterator[Difference]:
    """Compare whose loop it was; of one framework, the version is among the packages."""
    names = [one["framework"].get("name") for one in (a, b)]
    if names[0] != names[1]:
        yield Difference(
            part="code", field="framework", a=names[0], b=names[1], affects_bits="unknown"
        )
