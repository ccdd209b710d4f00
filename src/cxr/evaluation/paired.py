"""Two models on the same images: the difference of each figure, and a test of their decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cxr.determinism.levels import Level
from cxr.errors import RecordError
from cxr.evaluation.cases import FIGURE_NAMES, build_cases
from cxr.evaluation.intervals import REPEATED
from cxr.evaluation.split_figures import describe_split
from cxr.records.figures import ALL_SCALARS
from cxr.records.predictions import Prediction
from cxr.statistics.intervals import CONFIDENCE, REPLICATES

if TYPE_CHECKING:
    from cxr.statistics.cases import Cases


def compare_paired(
    classes: Sequence[str],
    first: Sequence[Prediction],
    second: Sequence[Prediction],
    groups: Mapping[str, str],
    *,
    seed: int,
    replicates: int = REPLICATES,
    level: float = CONFIDENCE,
    determinism: Level = Level.STRICT,
) -> dict[str, Any]:
    """Compare what two models made of the same images.

    Both are resampled together, so what makes a patient easy or hard for both cancels. Nothing is
    corrected for the number of figures that are compared.

    Args:
        classes: Class names in label order, of both.
        first: One model's predictions.
        second: The other's; images of which only one has a prediction are left out.
        groups: The patient of each path.
        seed: Root of the stream that patients are drawn from.
        replicates: Resamples to draw.
        level: Share of samples whose interval should hold the truth.
        determinism: The promise; it chooses the exponential and the logarithm.

    Returns:
        ``level``, ``seed``, ``replicates``, ``num_groups``, ``num_images``; ``figures`` by name:
        ``a``, ``b``, ``difference`` (b - a), ``low``, ``high``, ``method``, ``reason``;
        ``decisions``, the test of whether both are right equally often; ``auroc``, DeLong's test
        by class, or None and a ``reason``.

    Raises:
        RecordError: They have no image in common, another label of one, or one of no patient.
    """
    from cxr.statistics.bootstrap import bootstrap_differences
    from cxr.statistics.mcnemar import compare_decisions

    pairs = _pair(first, second)
    one, other = [a for a, _ in pairs], [b for _, b in pairs]
    patients = _find_patients(one, groups)
    cases = (
        build_cases(classes, one, level=determinism),
        build_cases(classes, other, level=determinism),
    )
    found = bootstrap_differences(
        cases[0], cases[1], patients, root=seed, replicates=replicates, level=level
    )
    intervals = {FIGURE_NAMES.get(name, name): value for name, value in found.whole.items()}
    figures_a, figures_b = (
        describe_split(classes, rows, level=determinism) for rows in (one, other)
    )
    differences = {}
    for name in ALL_SCALARS:
        a, b, interval = figures_a[name], figures_b[name], intervals[name]
        differences[name] = {
            "a": a,
            "b": b,
            "difference": b - a if a is not None and b is not None else None,
            "low": interval.low,
            "high": interval.high,
            "method": interval.method,
            "reason": interval.reason,
        }
    repeated = len(set(patients)) < len(patients)
    rights = [(rows.right == rows.asked).tolist() for rows in cases]
    return {
        "level": level,
        "seed": seed,
        "replicates": replicates,
        "num_groups": found.num_groups,
        "num_images": found.num_images,
        "figures": differences,
        "decisions": compare_decisions(rights[0], rights[1], patients).to_json(),
        "auroc": None if repeated else _compare_aurocs(classes, cases, patients, level),
        **({"reason": REPEATED} if repeated else {}),
    }


def _pair(
    first: Sequence[Prediction], second: Sequence[Prediction]
) -> list[tuple[Prediction, Prediction]]:
    """Return the predictions of the images that both have, in the first one's order."""
    by_path = {row.path: row for row in second}
    pairs = [(row, by_path[row.path]) for row in first if row.path in by_path]
    if not pairs:
        raise RecordError(
            "the runs have no predicted image in common",
            where="predictions.csv of both",
            hint="compare runs that evaluated the same split of the same data",
        )
    other = [a.path for a, b in pairs if a.label != b.label]
    if other:
        raise RecordError(
            f"{len(other)} images have another label in the second run",
            where=other[0],
            hint="compare runs on the same labels; cxr diff names all that differ",
        )
    return pairs


def _find_patients(rows: Sequence[Prediction], groups: Mapping[str, str]) -> list[str]:
    """Return the patient of each image."""
    for row in rows:
        if row.path not in groups:
            raise RecordError(
                "an image that was predicted is no sample of the run's data lock",
                where=row.path,
                hint="predictions or lock were edited; restore them; cxr verify says more",
            )
    return [groups[row.path] for row in rows]


def _compare_aurocs(
    classes: Sequence[str], cases: tuple[Cases, Cases], patients: Sequence[str], level: float
) -> dict[str, dict[str, Any]]:
    """Return DeLong's test of each class's AUROC."""
    from cxr.statistics.delong import delong_test

    one, other = cases
    found = {}
    for index, name in enumerate(classes):
        known = one.known[:, index]
        chosen = [patient for patient, is_known in zip(patients, known, strict=True) if is_known]
        found[name] = delong_test(
            one.present[known, index].tolist(),
            one.scores[known, index].tolist(),
            other.scores[known, index].tolist(),
            chosen,
            level=level,
        ).to_json()
    return found
