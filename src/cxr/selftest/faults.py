"""One fault each, planted by replacing one function of cxr while a run is trained.

Each is what some library, loader or machine has really done to somebody. No other module knows of
them: when the block ends the function is the one that it was.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from cxr.training import doubled, loop, step
from cxr.training.batches import Batch
from cxr.training.step import Learner, StepResult

Fault = AbstractContextManager[None]


def disturb_gradient(number: int) -> Fault:
    """At step ``number`` the first gradient is off by 1e-10."""

    def disturb(learner: Learner) -> None:
        gradient = next(learner.network.parameters()).grad
        if gradient is not None:
            gradient.add_(1e-10)

    return _after_gradients(number, disturb)


def draw_once_more(number: int) -> Fault:
    """At step ``number`` somebody draws once more from torch's global generator."""
    return _after_gradients(number, lambda _: torch.rand(1))


def run_op_without_kernel(number: int) -> Fault:
    """At step ``number`` an op runs that has no deterministic kernel, beside the network."""

    def run(_: Learner) -> None:
        torch.zeros(4).put_(torch.tensor([1]), torch.tensor([1.0]))

    return _after_gradients(number, run)


def reverse_batch(number: int) -> Fault:
    """At step ``number`` the loader returns the right samples in another order."""

    def plant(original: Callable[..., Iterator[Batch]]) -> Callable[..., Iterator[Batch]]:
        def iterate(*arguments: Any, **options: Any) -> Iterator[Batch]:
            for batch in original(*arguments, **options):
                yield _reverse(batch) if batch.step == number else batch

        return iterate

    return _replaced(loop, "iterate_batches", plant)


def double_learning_rate(epoch: int) -> Fault:
    """In ``epoch`` the learning rate is twice the schedule's."""

    def plant(original: Callable[..., float]) -> Callable[..., float]:
        def derive(config: Any, number: int, *, steps_per_epoch: int, **options: Any) -> float:
            factor = 2 if number // steps_per_epoch == epoch else 1
            return factor * original(config, number, steps_per_epoch=steps_per_epoch, **options)

        return derive

    return _replaced(step, "derive_learning_rate", plant)


def evaluate_in_between() -> Fault:
    """Before each step somebody evaluates, and draws from and re-seeds every generator."""

    def act(learner: Learner, batch: Batch) -> None:
        random.seed(99)
        random.random()  # noqa: S311 - nothing is kept secret
        np.random.seed(99)  # noqa: NPY002 - others draw from it
        np.random.rand(3)  # noqa: NPY002
        torch.manual_seed(99)
        torch.rand(3)
        learner.network.eval()
        with torch.no_grad():
            learner.network(batch.images_BCHW)
        learner.network.train()

    def plant(original: Callable[..., StepResult]) -> Callable[..., StepResult]:
        def run(learner: Learner, batch: Batch) -> StepResult:
            act(learner, batch)
            return original(learner, batch)

        return run

    return _replaced(doubled, "run_step", plant)


def run_unrepeatable_op(number: int) -> Fault:
    """From step ``number`` on an op of the first layer adds other bits each time that it runs.

    It asks no generator, so neither seeds nor flags know of it.
    """
    times = itertools.count(1)

    def plant(original: Callable[..., StepResult]) -> Callable[..., StepResult]:
        def run(learner: Learner, batch: Batch) -> StepResult:
            if batch.step < number:
                return original(learner, batch)
            layer = next(m for m in learner.network.modules() if isinstance(m, nn.Linear))
            noise = next(times) / 1024
            hook = layer.register_forward_hook(lambda _module, _inputs, output: output + noise)
            try:
                return original(learner, batch)
            finally:
                hook.remove()

        return run

    return _replaced(doubled, "run_step", plant)


def _after_gradients(number: int, act: Callable[[Learner], object]) -> Fault:
    """Act at step ``number``, once its gradients are there."""

    def plant(original: Callable[..., float]) -> Callable[..., float]:
        def accumulate(learner: Learner, batch: Batch) -> float:
            loss = original(learner, batch)
            if batch.step == number:
                act(learner)
            return loss

        return accumulate

    return _replaced(step, "accumulate_gradients", plant)


def _reverse(batch: Batch) -> Batch:
    return replace(
        batch,
        indices=batch.indices[::-1].copy(),
        images_BCHW=batch.images_BCHW.flip(0),
        labels=batch.labels.flip(0),
    )


@contextmanager
def _replaced(module: ModuleType, name: str, plant: Callable[[Any], Any]) -> Iterator[None]:
    """Let ``plant`` make another function of the module's own for as long as the block lasts."""
    original = getattr(module, name)
    setattr(module, name, plant(original))
    try:
        yield
    finally:
        setattr(module, name, original)
