from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from cxr.determinism.levels import Level
from cxr.determinism.portable.optimizers import PortableAdamW, PortableSGD
from cxr.determinism.portable.random.random_numbers import REPLACED
from cxr.errors import DeterminismError, TrainingError
from cxr.models import build
from cxr.models.build import build_network
from cxr.training.batches import Batch
from cxr.training.loop import take_mean
from cxr.training.optimizer import build_optimizer, describe_state
from cxr.training.schedule import derive_learning_rate
from cxr.training.step import Learner, accumulate_gradients
from support.recipes import load_recipe, vectors


class Drawing(TorchDispatchMode):
    """Computes natively whatever draws nothing."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return REPLACED.get(str(func), func)(*args, **(kwargs or {}))


def portable(**changes):
    config = load_recipe(vectors(**changes))
    return config.model_copy(update={"determinism": Level.PORTABLE})


@pytest.mark.parametrize(
    ("name", "kind"), [("sgd", PortableSGD), ("adamw", PortableAdamW)], ids=["sgd", "adamw"]
)
def test_optimizers_have_the_groups_and_the_state_of_strict(name, kind):
    config = portable(train__optimizer=name, train__momentum=0.5).train
    network = nn.Linear(3, 2)
    found = build_optimizer(network, config, level=Level.PORTABLE)
    strict = build_optimizer(network, config, level=Level.STRICT)
    assert isinstance(found, kind)
    assert not isinstance(strict, kind)
    for ours, theirs in zip(found.param_groups, strict.param_groups, strict=True):
        assert {key: theirs[key] for key in ours} == ours
    network(torch.ones(1, 3)).sum().backward()
    found.step()
    for parameter in network.parameters():
        described = describe_state(config, parameter)
        kept = found.state[parameter]
        assert {key: value.shape for key, value in kept.items()} == {
            key: value.shape for key, value in described.items()
        }


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_rates_are_those_of_strict_but_for_the_last_bits(schedule):
    config = portable(train__schedule=schedule, train__warmup_epochs=0.5).train
    for step in range(6):
        strict, found = (
            derive_learning_rate(config, step, steps_per_epoch=3, level=level)
            for level in (Level.STRICT, Level.PORTABLE)
        )
        assert found == pytest.approx(strict, rel=1e-15)


class Noted(nn.Module):
    """Keeps what dropout leaves of ones."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))
        self.seen = []

    def forward(self, images):
        dropped = nn.functional.dropout(torch.ones(len(images), 100), 0.5, training=True)
        self.seen.append(dropped)
        return images.flatten(1)[:, :3] * self.scale


def collect_draws(config, step):
    network = Noted()
    learner = Learner(
        config=config,
        network=network,
        optimizer=build_optimizer(network, config.train, level=Level.PORTABLE),
        class_weights=None,
        steps_per_epoch=3,
    )
    batch = Batch(
        step=step,
        epoch=0,
        indices=torch.arange(4).numpy(),
        images_BCHW=torch.ones(4, 1, 2, 2),
        labels=torch.tensor([0, 1, 2, 0]),
        known=None,
    )
    with Drawing():
        accumulate_gradients(learner, batch)
    return network.seen


def test_each_shard_of_each_step_draws_from_streams_of_its_own():
    config = portable(train__shards=2, train__batch_size=4)
    torch.manual_seed(1)
    first = collect_draws(config, 5)
    torch.manual_seed(2)
    again, later = collect_draws(config, 5), collect_draws(config, 6)
    assert all(map(torch.equal, first, again))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], later[0])
    # At other levels no stream is named: the generator of torch is in charge.
    strict = config.model_copy(update={"determinism": Level.STRICT})
    with pytest.raises(TrainingError, match="no stream"):
        collect_draws(strict, 5)


def test_a_network_is_built_from_the_names_of_its_parameters():
    with Drawing():
        network = build_network(portable(), num_classes=3)
        wider = build_network(portable(model__hidden=[16, 5]), num_classes=3)
    assert torch.equal(network.backbone[1].weight, wider.backbone[1].weight)
    strict = build_network(load_recipe(vectors()), num_classes=3)
    assert not torch.equal(network.backbone[1].weight, strict.backbone[1].weight)


def test_a_network_that_draws_differently_each_time_is_refused_in_three_lines(monkeypatch):
    widths = [5, 6]

    def build_mlp(*_):
        return nn.Linear(widths.pop(), 2)

    monkeypatch.setattr(build, "_build_mlp", build_mlp)
    with pytest.raises(DeterminismError, match="another way each time") as caught, Drawing():
        build.build_network(portable(), num_classes=3)
    assert caught.value.where == "model.name: mlp"


def test_the_mean_loss_is_rounded_once():
    losses = [1.0, 1e-16, 1e-16, 1e-16, 1e-16]
    assert take_mean(losses, Level.PORTABLE) == 1.0000000000000004 / 5
    assert take_mean([3.0, 4.0], Level.STRICT) == 3.5
