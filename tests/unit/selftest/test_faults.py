"""A fault acts inside its block alone."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import pytest
import torch

from cxr.selftest import faults
from cxr.training import doubled, loop, step

PLACES = [
    (doubled, "run_step"),
    (loop, "iterate_batches"),
    (step, "accumulate_gradients"),
    (step, "derive_learning_rate"),
]
FAULTS = [
    function
    for name, function in inspect.getmembers(faults, inspect.isfunction)
    if function.__module__ == faults.__name__ and not name.startswith("_")
]


def read() -> list[object]:
    return [getattr(module, name) for module, name in PLACES]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_one_function_is_replaced_and_put_back(fault: object):
    before = read()
    arguments = [3] if inspect.signature(fault).parameters else []
    with fault(*arguments):
        assert sum(a is not b for a, b in zip(before, read(), strict=True)) == 1
    assert read() == before


def test_it_is_put_back_however_the_block_ends():
    before = read()

    def fail() -> None:
        with faults.evaluate_in_between():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert read() == before


def test_the_fault_that_may_change_nothing_does_act(monkeypatch: pytest.MonkeyPatch):
    seen: list[tuple[bool, bool]] = []
    network = torch.nn.Dropout()
    network.register_forward_hook(lambda module, *_: seen.append((module.training, True)))

    def run_step(learner: SimpleNamespace, _: object) -> None:
        # Before the step the generators are those of another seed, and somebody has drawn.
        seen.append((learner.network.training, torch.initial_seed() == 99))

    monkeypatch.setattr(doubled, "run_step", run_step)
    state = torch.get_rng_state()
    with faults.evaluate_in_between():
        doubled.run_step(
            SimpleNamespace(network=network), SimpleNamespace(images_BCHW=torch.ones(1))
        )
    torch.set_rng_state(state)
    assert seen == [(False, True), (True, True)]


def test_there_are_as_many_faults_as_the_cases_need():
    assert len(FAULTS) == 7
