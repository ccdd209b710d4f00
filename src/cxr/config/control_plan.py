"""What a recipe asks of torch's switches."""

from __future__ import annotations

from cxr.config.schema import RunConfig
from cxr.determinism.controls import ControlPlan


def derive_control_plan(config: RunConfig) -> ControlPlan:
    """Return the plan that every command sets before it computes with this recipe."""
    return ControlPlan(
        level=config.determinism, threads=config.threads, fill_memory=config.fill_memory
    )
