from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from cxr.config.schema import ModelConfig
from cxr.errors import ConfigError, DeterminismError
from cxr.models.build import build_network, freeze_backbone, set_training_mode
from support import recipes

PROBE = ModelConfig(name="m", freeze="backbone")


class Headless(nn.Module):
    """A model whose classifier is whatever it is told."""

    def __init__(self, classifier):
        super().__init__()
        self.backbone = nn.Linear(2, 2)
        self.classifier = classifier

    def get_classifier(self):
        return self.classifier


def test_both_heads_of_a_distilled_model_are_trained():
    network = timm.create_model("deit_tiny_distilled_patch16_224", num_classes=2, img_size=32)
    freeze_backbone(network, PROBE)
    trained = {name for name, value in network.named_parameters() if value.requires_grad}
    assert trained == {"head.weight", "head.bias", "head_dist.weight", "head_dist.bias"}
    set_training_mode(network, PROBE)
    assert network.head.training
    assert network.head_dist.training
    assert not network.blocks.training


@pytest.mark.parametrize("classifier", [None, "head", nn.Identity(), ()])
def test_a_model_without_a_classifier_cannot_be_frozen(classifier):
    with pytest.raises(ConfigError, match="no classifier to train") as caught:
        freeze_backbone(Headless(classifier), PROBE)
    assert "model.freeze" in caught.value.where


def test_a_model_that_names_no_classifier_cannot_be_frozen():
    with pytest.raises(ConfigError, match="no classifier to train"):
        freeze_backbone(nn.Linear(2, 2), PROBE)


def test_a_frozen_backbone_gives_the_same_features_each_time():
    network = timm.create_model("test_resnet", num_classes=2, drop_rate=0.0)
    freeze_backbone(network, PROBE)
    set_training_mode(network, PROBE)
    images = torch.ones(2, 3, 32, 32)
    before = {name: value.clone() for name, value in network.named_buffers()}
    assert torch.equal(network(images), network(images))
    assert all(torch.equal(before[name], value) for name, value in network.named_buffers())


def test_a_model_that_cannot_be_built_is_the_config_s_fault():
    recipe = recipes.images(Path("x"), model={"name": "vgg11", "drop_path_rate": 0.1})
    with pytest.raises(ConfigError, match="the model cannot be built"):
        build_network(recipes.load_recipe(recipe), num_classes=2)


def test_a_model_that_makes_one_image_of_a_batch_is_refused_where_the_batch_may_change_no_bit():
    name = "efficientnet_cc_b0_4e"
    recipe = recipes.change(recipes.vectors(), {"model": {"name": name}})
    build_network(recipes.load_recipe(recipe), num_classes=2)
    portable = recipes.load_recipe(recipes.change(recipe, {"determinism": "portable"}))
    with pytest.raises(DeterminismError, match="CondConv2d has no portable form") as caught:
        build_network(portable, num_classes=2)
    assert caught.value.where == f"model.name: {name}"
