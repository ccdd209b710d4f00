from __future__ import annotations

import math

import pytest
import timm
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.random import initialisation
from cxr.determinism.portable.random.distributions import uniform_
from cxr.determinism.portable.random.drawing import drawing_from
from cxr.determinism.portable.random.initialisation import (
    _NamedDraws,
    build_portably,
    name_draws,
    stable_initialisers,
)
from cxr.determinism.portable.random.random_numbers import REPLACED

SEED = 3


class Drawing(TorchDispatchMode):
    """Computes natively whatever draws nothing."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return REPLACED.get(str(func), func)(*args, **(kwargs or {}))


def build(make, seed=SEED):
    with Drawing():
        return build_portably(make, seed).state_dict()


def require_same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


class Two(nn.Module):
    """Two layers; tests draw them in several ways."""

    def __init__(self, *, turned=False, twice=False, more=False):
        super().__init__()
        if more:
            self.before = nn.Linear(50, 50)
        if turned:
            self.b, self.a = nn.Linear(5, 3), nn.Linear(4, 5)
        else:
            self.a, self.b = nn.Linear(4, 5), nn.Linear(5, 3)
        if twice:
            nn.init.kaiming_uniform_(self.b.weight, a=math.sqrt(5))
        self.register_buffer("noise", torch.randn(7))


def test_weights_are_repeated_by_seed():
    require_same(build(Two), build(Two))
    assert not torch.equal(build(Two)["a.weight"], build(Two, seed=4)["a.weight"])


@pytest.mark.parametrize("changed", [{"turned": True}, {"twice": True}, {"more": True}])
def test_weights_depend_on_names_and_not_on_the_order_or_number_of_draws(changed):
    plain, other = build(Two), build(lambda: Two(**changed))
    require_same(plain, {name: other[name] for name in plain})


def test_parameters_of_one_shape_differ():
    found = build(lambda: nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 6)))
    assert not set(found["0.weight"].flatten().tolist()) & set(found["1.weight"].flatten().tolist())


def test_a_parameter_has_the_stream_of_its_name():
    found = build(lambda: nn.Linear(6, 6, bias=False))["weight"]
    named = _NamedDraws(SEED, name_draws(nn.Linear(6, 6, bias=False), []))
    assert named.names == []
    network = nn.Linear(6, 6, bias=False)
    [name] = name_draws(network, [network.weight])
    assert (name.tensor, name.later) == ("weight", 0)
    with drawing_from(_NamedDraws(SEED, [name])):
        bound = 1 / math.sqrt(6)
        assert torch.equal(uniform_(torch.empty(6, 6), -bound, bound), found)


def test_draws_are_named_by_the_memory_that_they_write():
    class Parts(nn.Module):
        def __init__(self):
            super().__init__()
            self.whole = nn.Parameter(torch.empty(6, 2))
            self.tied = self.whole
            self.scaled = nn.Parameter(torch.randn(3) * 0.02)
            self.register_buffer("kept", torch.zeros(0), persistent=False)

    network = Parts()
    drawn = [network.whole[:3], torch.empty(3), network.whole.detach()[3:], network.kept]
    names = [(name.tensor, name.later, name.shape) for name in name_draws(network, drawn)]
    assert names == [("whole", 1, (3, 2)), ("", 1, (3,)), ("whole", 0, (3, 2)), ("", 0, (0,))]


def test_what_is_made_of_a_draw_is_repeated():
    def make():
        network = nn.Module()
        network.position = nn.Parameter(torch.randn(1, 4, 8) * 0.02)
        return network

    found = build(make)["position"]
    require_same({"position": found}, build(make))
    assert 0.01 < found.std() < 0.03


@pytest.mark.parametrize("sizes", [[(4, 5), (4, 6)], [(4, 5), (5, 4)]])
def test_a_network_that_is_built_differently_the_second_time_is_refused(sizes):
    left = list(sizes)
    with pytest.raises(UnsupportedError, match="another way each time"):
        build(lambda: nn.Linear(*left.pop()))


def test_more_or_fewer_draws_the_second_time_are_refused():
    for extra in ([0, 1], [1, 0]):
        left = list(extra)

        def make(left=left):
            network = nn.Linear(4, 4)
            for _ in range(left.pop()):
                nn.init.normal_(network.weight)
            return network

        with pytest.raises(UnsupportedError, match="another way each time"):
            build(make)


def test_drawing_until_the_numbers_suit_is_refused(monkeypatch):
    monkeypatch.setattr(initialisation, "MOST_DRAWS", 50)

    def make():
        network = nn.Linear(4, 4)
        while network.weight.min() < 100:
            nn.init.normal_(network.weight)
        return network

    with pytest.raises(UnsupportedError, match="another way each time"):
        build(make)


def test_truncated_normal_numbers_are_one_uniform_draw():
    def make():
        network = nn.Linear(200, 100)
        nn.init.trunc_normal_(network.weight, std=0.02, a=-0.04, b=0.04)
        nn.init.trunc_normal_(network.bias, mean=1.0, std=1.0, a=3.0, b=9.0)
        return network

    found = build(make)
    assert found["weight"].abs().max() <= 0.04
    # Between two standard deviations on either side 0.7737 of the variance are left.
    assert found["weight"].var() == pytest.approx(0.7737 * 0.02**2, rel=0.03)
    assert found["bias"].min() >= 3
    assert found["bias"].mean() == pytest.approx(3.37, abs=0.1)


def test_torch_s_initialiser_is_put_back():
    before = nn.init._no_grad_trunc_normal_
    with stable_initialisers():
        assert nn.init._no_grad_trunc_normal_ is not before
    assert nn.init._no_grad_trunc_normal_ is before
    with pytest.raises(ZeroDivisionError), stable_initialisers():
        nn.init._no_grad_trunc_normal_(torch.empty(1), 0.0, 0, -1.0, 1.0)
    assert nn.init._no_grad_trunc_normal_ is before


def test_a_model_of_timm_is_built_alike_however_the_generators_stand():
    def make():
        return timm.create_model("test_vit", num_classes=2)

    first = build(make)
    torch.rand(11)
    require_same(first, build(make))
    drawn = {name: value for name, value in first.items() if value.ndim > 1}
    assert all(value.abs().max() < 0.2 for value in drawn.values())
    assert len(drawn) > 10
