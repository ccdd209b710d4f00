"""A stream's own root gives what a seed of that value would give of that stream alone."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from cxr.models.build import build_network
from cxr.training.draws import shard_draws
from support.recipes import load_recipe, vectors


def initialise(level, **changes):
    config = load_recipe(vectors(determinism=level, **changes))
    return build_network(config, num_classes=2).state_dict()


@pytest.mark.parametrize("level", ["strict", "portable"])
def test_initial_weights_are_those_of_their_root(level):
    wanted, found = initialise(level, seed=2), initialise(level, seed=1, streams__init=2)
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)
    plain = initialise(level, seed=1)
    moved = initialise(level, seed=1, streams__order=2, streams__augment=2, streams__step=2)
    assert all(torch.equal(plain[name], moved[name]) for name in plain)
    assert not all(torch.equal(plain[name], found[name]) for name in plain)


def test_what_a_portable_shard_draws_is_of_the_root_of_steps():
    from cxr.determinism.arithmetic import arithmetic
    from cxr.determinism.levels import Level

    def drop(**changes):
        config = load_recipe(vectors(determinism="portable", **changes))
        with (
            arithmetic(Level.PORTABLE, slices=1, ops_without_kernel=Counter(), where="a test"),
            shard_draws(config, 3, 1),
        ):
            return torch.nn.functional.dropout(torch.ones(64), 0.5)

    assert torch.equal(drop(seed=1, streams__step=2), drop(seed=2))
    assert torch.equal(drop(seed=1, streams__init=2), drop(seed=1))
    assert not torch.equal(drop(seed=1), drop(seed=2))
