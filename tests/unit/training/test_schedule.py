from __future__ import annotations

import itertools
import math

import pytest

from cxr.config.schema import TrainConfig
from cxr.determinism.levels import Level
from cxr.training.schedule import derive_learning_rate

STEPS = 10


def rates(**changes):
    config = TrainConfig(epochs=4, batch_size=1, lr=0.5, **changes)
    return [
        derive_learning_rate(config, step, steps_per_epoch=STEPS, level=Level.STRICT)
        for step in range(4 * STEPS)
    ]


def test_constant_is_constant():
    assert rates() == [0.5] * 40


def test_warmup_rises_in_equal_steps_to_the_rate_and_then_hands_over():
    found = rates(warmup_epochs=1)
    assert found[:10] == [0.5 * (step + 1) / 10 for step in range(10)]
    assert found[10:] == [0.5] * 30


def test_a_part_of_an_epoch_is_rounded_to_steps():
    assert rates(warmup_epochs=0.25)[:3] == [0.25, 0.5, 0.5]
    assert rates(warmup_epochs=0.04) == [0.5] * 40


def test_cosine_falls_from_the_rate_along_half_a_cosine():
    found = rates(schedule="cosine", min_lr=0.1)
    wanted = [0.1 + 0.4 * (1 + math.cos(math.pi * step / 40)) / 2 for step in range(40)]
    assert found == pytest.approx(wanted, rel=1e-14)
    assert found[0] == 0.5
    assert found[20] == pytest.approx(0.3)
    assert all(a > b for a, b in itertools.pairwise(found))
    assert found[-1] > 0.1


def test_cosine_begins_where_warmup_ends():
    found = rates(schedule="cosine", warmup_epochs=1)
    assert found[9] == found[10] == 0.5
    assert found[25] == pytest.approx(0.25)


def test_one_cycle_rises_for_three_tenths_and_falls_to_the_end():
    found = rates(schedule="one_cycle", min_lr=0.01)
    assert found[0] == pytest.approx(0.5 / 25)
    assert max(found) == found[12] == pytest.approx(0.5)
    assert all(a < b for a, b in itertools.pairwise(found[:13]))
    assert all(a > b for a, b in itertools.pairwise(found[12:]))
    assert found[26] == pytest.approx((0.5 + 0.01) / 2)
    assert 0.01 < found[-1] < 0.02


def test_the_rate_depends_on_the_step_alone():
    config = TrainConfig(epochs=3, batch_size=1, lr=0.5, schedule="cosine", warmup_epochs=0.5)
    forwards = [
        derive_learning_rate(config, step, steps_per_epoch=7, level=Level.STRICT)
        for step in range(21)
    ]
    backwards = [
        derive_learning_rate(config, step, steps_per_epoch=7, level=Level.STRICT)
        for step in reversed(range(21))
    ]
    assert forwards == backwards[::-1]


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_warmup_over_all_epochs_never_divides_by_zero(schedule):
    found = rates(schedule=schedule, warmup_epochs=4)
    assert found == [0.5 * ((step + 1) / 40) for step in range(40)]


def test_one_step_is_trained_at_the_rate():
    config = TrainConfig(epochs=1, batch_size=1, lr=0.5, schedule="cosine")
    assert derive_learning_rate(config, 0, steps_per_epoch=1, level=Level.STRICT) == 0.5
