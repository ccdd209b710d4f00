"""Weights must fit whole: nothing missing, nothing left over, and never a pickle."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from torch import nn

from cxr.config.schema import FileWeights, RunConfig
from cxr.determinism.arithmetic import arithmetic
from cxr.determinism.seeding import seed_global_generators
from cxr.determinism.streams import derive_seed
from cxr.digests.files import digest_file
from cxr.digests.tensors import digest_weights
from cxr.errors import WeightsError
from cxr.models import weights as weights_of_files
from cxr.models.build import build_network, find_initial_weights
from cxr.models.fit import loading_whole
from cxr.models.weights import find_weights
from support.recipes import images, load_recipe, vectors

Tensors = dict[str, torch.Tensor]


def make_tensors(name: str, **options: int) -> Tensors:
    """Return the state of a model that was drawn from some other seed."""
    torch.manual_seed(5)
    network = timm.create_model(name, **options)
    return {name: value.clone() for name, value in network.state_dict().items()}


def build_from(path: Path, tensors: Tensors, config: RunConfig) -> nn.Module:
    """Write tensors to a file, and build a network for two classes from it."""
    safetensors.torch.save_file(tensors, path)
    named = FileWeights(source="file", path=str(path), sha256=digest_file(path))
    return build_network(config, num_classes=2, weights=find_weights(named))


def recipe(name: str, size: int = 32) -> RunConfig:
    return load_recipe(images(Path("x"), model={"name": name}, data__image_size=size))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "w.safetensors"


@pytest.mark.parametrize(
    ("name", "size", "options"),
    [
        ("test_resnet", 32, {}),
        ("test_vit", 96, {"img_size": 96}),
        ("deit_tiny_distilled_patch16_224", 64, {"img_size": 64}),
        ("convnextv2_atto", 64, {}),
        # Its classifier is more than the layer that timm draws anew.
        ("caformer_s18", 64, {}),
    ],
)
def test_weights_that_fit_give_the_bits_that_timm_gives(path, name, size, options):
    built = build_from(path, make_tensors(name), recipe(name, size))
    seed_global_generators(derive_seed(1, "init"))
    by_timm = timm.create_model(
        name,
        pretrained=True,
        pretrained_cfg_overlay={"file": str(path)},
        num_classes=2,
        in_chans=1,
        **options,
    )
    assert digest_weights(built.state_dict()) == digest_weights(by_timm.state_dict())
    assert "state_dict" not in built.pretrained_cfg


@pytest.mark.parametrize("name", ["test_resnet", "deit_tiny_distilled_patch16_224"])
def test_a_classifier_with_the_same_classes_is_kept(path, name):
    tensors = make_tensors(name, num_classes=2, in_chans=1)
    found = build_from(path, tensors, recipe(name, 224)).state_dict()
    assert digest_weights(found) == digest_weights(tensors)


def test_a_classifier_that_the_file_lacks_is_drawn(path):
    tensors = make_tensors("test_resnet", num_classes=0, in_chans=1)
    found = build_from(path, tensors, recipe("test_resnet")).state_dict()
    drawn = build_network(recipe("test_resnet"), num_classes=2).state_dict()
    assert torch.equal(found["fc.weight"], drawn["fc.weight"])
    assert torch.equal(found["conv1.0.weight"], tensors["conv1.0.weight"])


def test_weights_of_which_nothing_matches_are_refused(path):
    with pytest.raises(WeightsError, match=r"do not fit the model: .* is missing.* and .* more"):
        build_from(path, {"a.weight": torch.ones(2)}, recipe("test_resnet"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tensors: tensors.pop("bn1.running_var"), "bn1.running_var is missing"),
        (lambda tensors: tensors.update(other=torch.ones(2)), "other is left over"),
        (
            lambda tensors: tensors.update({"bn1.weight": torch.ones(3)}),
            r"bn1.weight is \[3\] and not \[",
        ),
        (lambda tensors: tensors.pop("conv1.0.weight"), "conv1.0.weight is missing"),
        (lambda tensors: tensors.update({"conv1.0.weight": torch.ones(2)}), "do not fit"),
    ],
)
@pytest.mark.parametrize("num_classes", [2, 1000])
def test_a_tensor_that_does_not_fit_is_named(path, change, message, num_classes):
    tensors = make_tensors("test_resnet", num_classes=num_classes)
    build_from(path, tensors, recipe("test_resnet"))
    change(tensors)
    with pytest.raises(WeightsError, match=message) as caught:
        build_from(path, tensors, recipe("test_resnet"))
    assert caught.value.where == str(path)


def test_half_a_classifier_is_refused(path):
    tensors = make_tensors("test_resnet", num_classes=2)
    del tensors["fc.bias"]
    with pytest.raises(WeightsError, match=r"fc\.bias is missing"):
        build_from(path, tensors, recipe("test_resnet"))


def test_weights_of_the_mlp_must_fit_as_well(path):
    config = load_recipe(vectors())
    tensors = dict(build_network(config, num_classes=2).state_dict())
    build_from(path, tensors, config)
    with pytest.raises(WeightsError, match=r"backbone.1.weight is \[2\] and not \[16, 784\]"):
        build_from(path, tensors | {"backbone.1.weight": torch.ones(2)}, config)
    with pytest.raises(WeightsError, match="other is left over"):
        build_from(path, tensors | {"other": torch.ones(2)}, config)


def test_a_library_that_loads_nothing_is_found():
    before = nn.Module.load_state_dict
    with pytest.raises(WeightsError, match="loads none"), loading_whole("w", heads=()):
        nn.Linear(1, 1)
    assert nn.Module.load_state_dict is before


def test_an_empty_file_is_refused_before_timm_looks_elsewhere(path):
    with pytest.raises(WeightsError, match="holds no tensors"):
        build_from(path, {}, recipe("test_resnet"))


def test_a_file_names_its_digest_once(path):
    safetensors.torch.save_file({"a": torch.ones(1)}, path)
    digest = digest_file(path)
    found = find_weights(FileWeights(source="file", path=str(path), sha256=digest))
    assert found.origin == {"source": "file", "file_sha256": digest}


@pytest.mark.parametrize("level", ["strict", "portable"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_file_is_read_once_and_what_was_checked_is_what_is_used(
    path, monkeypatch, level, channels
):
    tensors = make_tensors("test_resnet", num_classes=2)
    safetensors.torch.save_file(tensors, path)
    given = {"source": "file", "path": str(path), "sha256": digest_file(path)}
    changes = {"determinism": level, "data__channels": channels, "model__weights": given}
    config = load_recipe(images(Path("x"), **changes))
    read, opened = weights_of_files.read_regular, []
    monkeypatch.setattr(
        weights_of_files, "read_regular", lambda file: (opened.append(file), read(file))[1]
    )
    weights = find_initial_weights(config)
    # Whoever changes the file now is too late.
    path.write_bytes(b"another file")
    with arithmetic(config.determinism, slices=1, ops_without_kernel=Counter(), where="a test"):
        network = build_network(config, num_classes=2, weights=weights)
    assert opened == [path]
    # No adaptation may change what was checked: a portable network is built twice from it.
    assert digest_weights(weights.tensors) == weights.content_digest == digest_weights(tensors)
    assert torch.equal(network.fc.weight, tensors["fc.weight"])


def test_a_pickle_under_another_name_is_not_opened(path):
    path.write_bytes(pickle.dumps({"a": 1}))
    named = FileWeights(source="file", path=str(path), sha256=digest_file(path))
    with pytest.raises(WeightsError, match="cannot read the tensors"):
        find_weights(named)
