"""One factor at a time against a reference: what changes bits, from where on, and by how much.

The reference is the recipe as it is, and it is trained twice: where it does not repeat, no other
run can be told from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from cxr.compare.diff import diff_runs
from cxr.compare.report import Divergence, PredictionChange
from cxr.config.fields import digest_config
from cxr.config.schema import RunConfig
from cxr.determinism.levels import Level
from cxr.environment.processor import capture_cpu
from cxr.errors import RecordError, UsageError
from cxr.models.weights_distance import WeightsDistance, measure_weights_distance
from cxr.records.manifest import Manifest
from cxr.records.run_directory import WEIGHTS
from cxr.repeat.factors import (
    Setting,
    apply_setting,
    find_capability,
    find_reason_to_pass,
    parse_settings,
)
from cxr.repeat.plan import RunPlan, name_nth_run

Status = Literal["harmless", "changes-bits", "not-taken", "missing"]

_NUM_REFERENCES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorEffect:
    """What one value of one factor does.

    Attributes:
        factor: Its name.
        value: Its value.
        status: ``harmless`` where outcome and trace are the reference's; ``not-taken`` where there
            was no point in it or the machine did not take it; ``missing`` where its run did not
            complete.
        promised: Whether the recipe's level promises that it changes no bit.
        run: Its run, by name; None where there is none.
        reason: Why it was not taken.
        first_divergence: Where its run leaves the reference; None where the ledgers are equal.
        weights: How far the final weights lie apart.
        predictions: How far the predictions do.
        figures: Its figures minus the reference's, where both have them.
    """

    factor: str
    value: str
    status: Status
    promised: bool
    run: str | None = None
    reason: str | None = None
    first_divergence: Divergence | None = None
    weights: WeightsDistance | None = None
    predictions: PredictionChange | None = None
    figures: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorsReport:
    """What every factor does.

    Attributes:
        reference: The run that all are compared with, by name.
        repeats: Whether a second run of it is equal; None where one did not complete.
        effects: In the order in which they were asked for.
    """

    reference: str
    repeats: bool | None
    effects: list[FactorEffect]

    @property
    def breaks_promise(self) -> bool:
        """Whether something changed bits that the level promises not to."""
        return any(one.promised and one.status == "changes-bits" for one in self.effects)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)


def ask_to_vary(config: RunConfig, texts: Sequence[str]) -> dict[str, Any]:
    """Return what a series is asked for, as its record keeps it.

    What this machine cannot take, and what is the recipe's own value, is kept with the reason.

    Raises:
        UsageError: A factor or value is not known, or nothing is left to vary.
    """
    settings = parse_settings(texts)
    instruction_sets = capture_cpu()["instruction_sets"]
    passed = {
        str(one): reason
        for one in settings
        if (reason := find_reason_to_pass(config, one, instruction_sets)) is not None
    }
    if len(passed) == len(settings):
        told = "; ".join(f"{name}: {reason}" for name, reason in passed.items())
        raise UsageError(
            f"nothing is left to vary ({told})" if told else "nothing is to be varied",
            where="cxr repeat --vary",
            hint="name another value, as in --vary threads=1,4",
        )
    return {"settings": [str(one) for one in settings], "passed_over": passed}


def plan_varied_runs(config: RunConfig, asked: Mapping[str, Any]) -> Sequence[RunPlan]:
    """Return plans: the reference, once more, and each setting that is not passed over.

    Raises:
        RecordError: The record of a series does not say what is varied.
    """
    settings, passed = _read_asked(asked)
    plans = [
        RunPlan(name=name_nth_run(1), config=config, varied=("the reference",)),
        RunPlan(name=name_nth_run(2), config=config, varied=("the reference again",)),
    ]
    for setting in settings:
        if str(setting) not in passed:
            changed, variables = apply_setting(config, setting)
            name = name_nth_run(len(plans) + 1)
            plans.append(
                RunPlan(name=name, config=changed, variables=variables, varied=(str(setting),))
            )
    return plans


def describe_varied_runs(
    config: RunConfig, asked: Mapping[str, Any], runs: Mapping[Path, Manifest]
) -> FactorsReport:
    """Compare the completed runs of a series with its reference.

    Args:
        config: The recipe.
        asked: As of `plan_varied_runs`.
        runs: The completed runs' manifests, by their directories.

    Raises:
        CxrError: A record cannot be read.
    """
    settings, passed = _read_asked(asked)
    by_name = {run.name: (run, manifest) for run, manifest in runs.items()}
    first, again = (by_name.get(name_nth_run(number)) for number in range(1, _NUM_REFERENCES + 1))
    effects: list[FactorEffect] = []
    number = _NUM_REFERENCES
    for setting in settings:
        reason = passed.get(str(setting))
        number += reason is None
        effect = FactorEffect(
            factor=setting.factor,
            value=setting.value,
            status="missing" if reason is None else "not-taken",
            promised=_is_promised(config, setting),
            run=name_nth_run(number) if reason is None else None,
            reason=reason,
        )
        other = by_name.get(effect.run or "")
        if first is not None and other is not None:
            effect = _compare(effect, find_capability(setting), first, other)
        effects.append(effect)
    repeats = None if first is None or again is None else _is_equal(first[1], again[1])
    return FactorsReport(reference=name_nth_run(1), repeats=repeats, effects=effects)


def _compare(
    effect: FactorEffect,
    capability: str | None,
    first: tuple[Path, Manifest],
    other: tuple[Path, Manifest],
) -> FactorEffect:
    """Return the effect of a setting whose run is there, as is the reference.

    Args:
        effect: What is known without them.
        capability: What torch must say of itself in the run; None where it may say all.
        first: The reference.
        other: The run.
    """
    found = other[1]["controls"].get("torch.cpu_capability")
    if capability is not None and _name_capability(found) != capability:
        reason = f"torch says that it computes with {found}"
        return replace(effect, status="not-taken", reason=reason)
    if _is_equal(first[1], other[1]):
        return replace(effect, status="harmless")
    report = diff_runs(first[0], other[0])
    gaps = {name: pair["difference"] for name, pair in report.metrics.items()}
    return replace(
        effect,
        status="changes-bits",
        first_divergence=report.first_divergence,
        weights=measure_weights_distance(first[0] / WEIGHTS, other[0] / WEIGHTS),
        predictions=report.predictions,
        figures={name: gap for name, gap in gaps.items() if gap is not None},
    )


def _is_equal(a: Manifest, b: Manifest) -> bool:
    return all(a[name] == b[name] for name in ("outcome_digest", "trace_digest"))


def _name_capability(found: object) -> str:
    """Return torch's word for its instruction set; older versions say NO AVX for DEFAULT."""
    return str(found).replace("NO AVX", "DEFAULT")


def _is_promised(config: RunConfig, setting: Setting) -> bool:
    """Say whether equal recipes differ in it: then their bits are promised to be equal."""
    changed, variables = apply_setting(config, setting)
    if variables:
        return config.determinism is Level.PORTABLE
    return digest_config(changed) == digest_config(config)


def _read_asked(asked: Mapping[str, Any]) -> tuple[tuple[Setting, ...], Mapping[str, str]]:
    texts, passed = asked.get("settings"), asked.get("passed_over")
    try:
        if isinstance(texts, list) and isinstance(passed, dict) and len(texts) > len(passed):
            return parse_settings([str(text) for text in texts]), passed
    except UsageError:
        pass
    raise RecordError(
        "the repeat does not say what was varied",
        where="repeat.json, series",
        hint="restore it, or start a new repeat in another directory",
    )
