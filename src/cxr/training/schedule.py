"""The learning rate as a pure function of the step: nothing to save, nothing to restore."""

from __future__ import annotations

import math
from typing import Final

from cxr.config.schema import TrainConfig
from cxr.determinism.levels import Level

# Source: the defaults of torch.optim.lr_scheduler.OneCycleLR, pct_start and 1 / div_factor; the
# idea of one cycle is that of Smith and Topin, "Super-convergence", 2018.
_ONE_CYCLE_RISE: Final = 0.3
_ONE_CYCLE_START: Final = 1 / 25


def derive_learning_rate(
    config: TrainConfig, step: int, *, steps_per_epoch: int, level: Level
) -> float:
    """Return the learning rate of a step.

    Args:
        config: ``schedule``, ``lr``, ``min_lr``, ``warmup_epochs`` and ``epochs``.
        step: Zero-based global step.
        steps_per_epoch: Steps of an epoch.
        level: The promise; at ``portable`` the cosine is not the platform's.
    """
    total = config.epochs * steps_per_epoch
    warmup = round(config.warmup_epochs * steps_per_epoch)
    if step < warmup:
        return config.lr * ((step + 1) / warmup)
    position = (step - warmup) / max(1, total - warmup)
    if config.schedule == "cosine":
        return _anneal(config.lr, config.min_lr, position, level)
    if config.schedule == "one_cycle":
        if position < _ONE_CYCLE_RISE:
            rise = position / _ONE_CYCLE_RISE
            return _anneal(config.lr * _ONE_CYCLE_START, config.lr, rise, level)
        fall = (position - _ONE_CYCLE_RISE) / (1 - _ONE_CYCLE_RISE)
        return _anneal(config.lr, config.min_lr, fall, level)
    return config.lr


def _anneal(start: float, end: float, position: float, level: Level) -> float:
    """Go from ``start`` to ``end`` along half a cosine while ``position`` goes from 0 to 1."""
    return end + (start - end) * (1 + _take_cosine(math.pi * position, level)) / 2


def _take_cosine(angle: float, level: Level) -> float:
    if level is not Level.PORTABLE:
        return math.cos(angle)
    from cxr.determinism.portable.elementary.scalar_functions import cos

    return cos(angle)
