from __future__ import annotations

import json
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

import cxr
from cxr.determinism.seeding import seed_everything, seed_global_generators
from cxr.determinism.streams import MAX_SEED, derive_seed
from cxr.errors import UsageError


@pytest.fixture(autouse=True)
def _keep_global_generators():
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    yield
    random.setstate(before[0])
    np.random.set_state(before[1])  # noqa: NPY002
    torch.set_rng_state(before[2])


def draw_from_each():
    return (
        random.random(),  # noqa: S311
        float(np.random.random()),  # noqa: NPY002
        float(torch.rand((), dtype=torch.float64)),
    )


@pytest.mark.parametrize("seed", [0, 42, MAX_SEED])
def test_the_same_seed_gives_the_same_draws_from_every_library(seed):
    seed_everything(seed)
    first = draw_from_each()
    seed_everything(seed)
    assert draw_from_each() == first


def test_another_seed_changes_every_library():
    seed_everything(1)
    first = draw_from_each()
    seed_everything(2)
    assert all(a != b for a, b in zip(first, draw_from_each(), strict=True))


def test_libraries_get_seeds_of_their_own_and_they_are_returned():
    seeds = seed_everything(42)
    assert seeds == {
        "python": derive_seed(42, "global", "python"),
        "numpy": derive_seed(42, "global", "numpy") % 2**32,
        "torch": derive_seed(42, "global", "torch"),
    }
    assert torch.initial_seed() == seeds["torch"]
    found = draw_from_each()
    assert found[0] == random.Random(seeds["python"]).random()  # noqa: S311
    assert found[1] == float(np.random.RandomState(seeds["numpy"]).random())


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1, 1.0, "1", None, True])
def test_a_seed_that_is_no_64_bit_number_is_refused(seed):
    with pytest.raises(UsageError, match="is not a whole number from 0 to"):
        seed_everything(seed)


def test_it_is_the_public_function_of_the_package():
    assert cxr.seed_everything is seed_everything
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        cxr.nothing  # noqa: B018


def test_global_generators_start_again_from_a_derived_seed():
    seed_global_generators(derive_seed(1, "step", 5))
    first = draw_from_each()
    seed_global_generators(derive_seed(1, "step", 6))
    assert draw_from_each() != first
    seed_global_generators(derive_seed(1, "step", 5))
    assert draw_from_each() == first


def test_it_works_where_torch_and_numpy_cannot_be_imported():
    program = (
        "import sys, json, random\n"
        "sys.modules['torch'] = sys.modules['numpy'] = None\n"
        "import cxr\n"
        "seeds = cxr.seed_everything(42)\n"
        "print(json.dumps([seeds, random.random()]))\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
    seeds, drawn = json.loads(answer.stdout)
    wanted = derive_seed(42, "global", "python")
    assert seeds == {"python": wanted}
    assert drawn == random.Random(wanted).random()  # noqa: S311
