"""What timm loads from an export is held against the run: another model is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import safetensors.torch

from cxr.errors import WeightsError
from cxr.models.weights import load_tensors
from cxr.release.exported_network import load_exported, measure_exported
from cxr.release.timm_config import require_timm_model
from support.recipes import load_recipe, vectors

OTHERS = {
    "mean": {"cfg_mean": [0.25]},
    "deviation": {"cfg_std": [0.5]},
    "class order": {"label_names": ["PNEUMONIA", "NORMAL"]},
}


def measure(model, recorded=None):
    loaded = load_exported(model.directory, model.config, model.weights_digest)
    given = model.recorded if recorded is None else recorded
    return measure_exported(loaded, model.split, given, model.config, model.directory)


@pytest.mark.parametrize(
    "changes",
    [
        {"model__name": "test_convnext", "data__image_size": 64},
        {"model__name": "test_vit", "data__channels": 3, "data__image_size": 48},
        {"model__name": "test_vit3", "data__image_size": 48},
        {"model__name": "test_resnet", "train__loss": "bce", "train__precision": "bfloat16"},
    ],
    ids=str,
)
def test_timm_loads_models_of_many_kinds_as_they_were(make_model, changes):
    agreement = measure(make_model(**changes))
    assert agreement.is_exact
    assert (agreement.num_images, agreement.largest_difference) == (8, 0)


@pytest.mark.parametrize("name", OTHERS)
def test_another_preprocessing_or_class_order_is_refused(make_model, name):
    model = make_model()
    model.edit(**OTHERS[name])
    with pytest.raises(WeightsError, match="does not give what the run's own model gives"):
        measure(model)


def test_other_weights_under_the_same_name_are_refused(make_model):
    model = make_model()
    path = model.directory / "model.safetensors"
    tensors = load_tensors(path)
    name = min(name for name in tensors if name.endswith("weight"))
    tensors[name] = tensors[name] + 1e-7
    safetensors.torch.save_file(tensors, path)
    with pytest.raises(WeightsError, match="timm loads other weights"):
        measure(model)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cfg_input_size": [1, 32, 32]}, "another input size"),
        ({"architecture": "test_convnext"}, "timm cannot load the exported model"),
        ({"num_classes": 3}, "timm cannot load the exported model"),
    ],
    ids=["size", "architecture", "classes"],
)
def test_a_config_that_describes_another_model_is_refused(make_model, changes, said):
    model = make_model()
    model.edit(**changes)
    with pytest.raises(WeightsError, match=said):
        measure(model)


def test_other_arithmetic_is_measured_and_no_error(make_model):
    model = make_model()
    first = model.recorded[0]
    moved = replace(
        first, logits=(str(float(first.logits[0]) + 0.5), first.logits[1]), decision="?"
    )
    agreement = measure(model, [moved, *model.recorded[1:]])
    assert (agreement.num_same, agreement.changed_decisions) == (7, 1)
    assert agreement.largest_difference == pytest.approx(0.5)
    assert not agreement.is_exact


def test_a_model_of_our_own_is_refused():
    with pytest.raises(WeightsError, match="cxr's own multilayer perceptron") as found:
        require_timm_model(load_recipe(vectors()))
    assert found.value.where == "model.name: mlp"
