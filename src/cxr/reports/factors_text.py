"""The words of what factors do to bits, which a terminal and a page share."""

from __future__ import annotations

from typing import Final

from cxr.compare.report import Divergence
from cxr.repeat.vary import FactorEffect, FactorsReport

_WORDS: Final = {
    "harmless": "harmless",
    "changes-bits": "changes bits",
    "not-taken": "not taken",
    "missing": "no run",
}


def describe_reference(report: FactorsReport) -> str:
    """Return whether the recipe repeats, without which nothing can be told of a factor."""
    if report.repeats is None:
        return "the reference did not complete twice: nothing is known of the factors"
    if not report.repeats:
        return "the reference does NOT repeat: what follows may have other causes"
    return "the reference repeats, bit for bit"


def list_effect_rows(report: FactorsReport) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows of what each factor does."""
    rows = [
        [
            f"{one.factor}={one.value}",
            _describe_status(one),
            one.reason or _describe_place(one),
            _describe_weights(one),
            _describe_decisions(one),
        ]
        for one in report.effects
    ]
    return ["factor", "bits", "from where on", "weights", "decisions"], rows


def _describe_status(effect: FactorEffect) -> str:
    broken = effect.promised and effect.status == "changes-bits"
    return _WORDS[effect.status] + (", AGAINST THE PROMISE" if broken else "")


def _describe_place(effect: FactorEffect) -> str:
    if effect.status != "changes-bits":
        return "-"
    if effect.first_divergence is None:
        return "the predictions; every step is equal"
    return describe_short(effect.first_divergence)


def describe_short(parted: Divergence) -> str:
    """Return step and thing in a few words."""
    place = "initial state" if parted.step < 0 else f"step {parted.step}"
    return f"{place}, {parted.what}" + (f" ({parted.tensor})" if parted.tensor else "")


def _describe_weights(effect: FactorEffect) -> str:
    """Return the relative distance of the final weights."""
    if effect.weights is None:
        return "-"
    norm = effect.weights.relative_norm
    return "undefined" if norm is None else f"{norm:.1e}"


def _describe_decisions(effect: FactorEffect) -> str:
    found = effect.predictions
    return "-" if found is None else f"{found.changed_decisions} of {found.images}"
