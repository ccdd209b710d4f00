"""Everything that a run starts from: switches set, weights found and checked, network built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cxr.config.control_plan import derive_control_plan
from cxr.config.schema import RunConfig
from cxr.data.dataset import Dataset
from cxr.data.preprocessing import record_preprocessing
from cxr.data.subgroup_values import SubgroupValues
from cxr.determinism.arithmetic import arithmetic
from cxr.determinism.controls import (
    Controls,
    find_untaken,
    require_device,
    set_controls,
)
from cxr.models.build import build_network, find_initial_weights
from cxr.records.recipe import Recipe, derive_recipe
from cxr.training.inputs import Inputs
from cxr.training.loss import derive_class_weights
from cxr.training.optimizer import build_optimizer
from cxr.training.step import Learner
from cxr.training.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Everything that a run starts from, checked.

    Attributes:
        class_weights: Weights in the loss, as `derive_class_weights` gives them, on the CPU.
    """

    config: RunConfig
    recipe: Recipe
    controls: Controls
    controls_untaken: list[str]
    dataset: Dataset
    subgroups: SubgroupValues
    class_weights: torch.Tensor | None
    network: nn.Module
    weights_origin: dict[str, str] | None
    preprocessing: dict[str, Any]
    tally: Tally


def prepare_run(config: RunConfig, inputs: Inputs) -> Prepared:
    """Set the switches, then find, check and build everything else that the run needs.

    Args:
        config: The recipe.
        inputs: Its data.

    Raises:
        CxrError: Something is missing or wrong; nothing was written.
    """
    plan = derive_control_plan(config)
    controls = set_controls(plan)
    untaken = find_untaken(plan, controls)
    require_device(config.device)
    weights = find_initial_weights(config)
    dataset = inputs.dataset
    class_weights = derive_class_weights(config, dataset.lock)
    tally = Tally()
    ops = tally.ops_without_kernel
    slices = config.portable.slices
    with arithmetic(
        config.determinism, slices=slices, ops_without_kernel=ops, where="initialisation"
    ):
        network = build_network(config, num_classes=len(dataset.lock.classes), weights=weights)
    weights_in = weights.content_digest if weights else None
    return Prepared(
        config=config,
        recipe=derive_recipe(config, dataset.lock, weights_in),
        controls=controls,
        controls_untaken=untaken,
        dataset=dataset,
        subgroups=inputs.subgroups,
        class_weights=class_weights,
        network=network,
        weights_origin=weights.origin if weights else None,
        preprocessing=record_preprocessing(config.data),
        tally=tally,
    )


def build_learner(prepared: Prepared) -> Learner:
    """Put the network on its device and build the optimizer over it."""
    config, network = prepared.config, prepared.network
    network.to(config.device)
    weights = prepared.class_weights
    return Learner(
        config=config,
        network=network,
        optimizer=build_optimizer(network, config.train, level=config.determinism),
        class_weights=weights.to(config.device) if weights is not None else None,
        steps_per_epoch=len(prepared.dataset.split("train")) // config.train.batch_size,
    )
