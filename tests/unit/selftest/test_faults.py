"""A fault acts inside its block alone."""

from __future__ import annotations

import inspect

import pytest

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


def test_there_are_as_many_faults_as_the_cases_need():
    assert len(FAULTS) == 7
