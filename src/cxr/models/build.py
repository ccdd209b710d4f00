"""Building a network by name, initialised from its own stream."""

from __future__ import annotations

import difflib
from typing import Any, Final

from torch import nn

from cxr.config.schema import ModelConfig, RunConfig
from cxr.determinism.seeding import seed_global_generators
from cxr.determinism.streams import derive_seed
from cxr.errors import ConfigError
from cxr.models.mlp import Mlp
from cxr.models.weights import InitialWeights, find_weights

MLP: Final = "mlp"


def find_initial_weights(config: RunConfig) -> InitialWeights | None:
    """Check that the model is known and that the weights it starts from are at hand.

    Returns:
        The weights, or None where they are drawn.

    Raises:
        ConfigError: No model has this name, or a hub's revision is not given.
        WeightsError: The weights are missing, or not those that the config names.
    """
    if config.model.name != MLP:
        require_known_model(config.model.name)
    return find_weights(config.model.weights) if config.model.weights is not None else None


def build_network(
    config: RunConfig, *, num_classes: int, weights: InitialWeights | None = None
) -> nn.Module:
    """Build a network from its stream, or from given weights.

    Raises:
        ConfigError: The model does not take these settings.
        WeightsError: The weights do not fit.
    """
    seed_global_generators(derive_seed(config.seed, "init"))
    if config.model.name == MLP:
        return _build_mlp(config, num_classes, weights)
    network = _build_timm(config, num_classes, weights)
    freeze_backbone(network, config.model)
    return network


def require_known_model(name: str) -> None:
    """Refuse a name that timm does not know.

    Raises:
        ConfigError: Naming the nearest models.
    """
    import timm

    if "/" not in name and ":" not in name and timm.is_model(name):
        return
    names = [*timm.list_models(), MLP]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    raise ConfigError(
        f"no model is called {name!r}",
        where="model.name",
        hint=f"did you mean {', '.join(near)}?" if near else "timm.list_models() has all names",
    )


def freeze_backbone(network: nn.Module, config: ModelConfig) -> None:
    """Leave only the classifier to be trained, where the config asks for a linear probe."""
    if config.freeze == "none":
        return
    classifier: Any = network.get_classifier()  # type: ignore[operator]
    for parameter in network.parameters():
        parameter.requires_grad = False
    for parameter in classifier.parameters():
        parameter.requires_grad = True


def set_training_mode(network: nn.Module, config: ModelConfig) -> None:
    """Put a network into training mode; a frozen backbone keeps its statistics."""
    network.train()
    if config.freeze == "backbone":
        network.eval()
        classifier: Any = network.get_classifier()  # type: ignore[operator]
        classifier.train()


def _build_mlp(config: RunConfig, num_classes: int, weights: InitialWeights | None) -> nn.Module:
    network = Mlp(
        num_features=config.data.channels * config.data.image_size**2,
        hidden=config.model.hidden,
        num_classes=num_classes,
        drop_rate=config.model.drop_rate,
    )
    if weights is not None:
        weights.load_into(network)
    return network


def _build_timm(config: RunConfig, num_classes: int, weights: InitialWeights | None) -> nn.Module:
    """Let timm build the model and, with given weights, adapt them to channels and classes."""
    import timm

    model = config.model
    pretrained = timm.models.get_pretrained_cfg(model.name)
    options: dict[str, Any] = {"num_classes": num_classes, "in_chans": config.data.channels}
    if model.drop_rate:
        options["drop_rate"] = model.drop_rate
    if model.drop_path_rate:
        options["drop_path_rate"] = model.drop_path_rate
    if pretrained is not None and pretrained.fixed_input_size:
        options["img_size"] = config.data.image_size
    if weights is not None:
        options["pretrained"] = True
        options["pretrained_cfg_overlay"] = weights.describe_for_timm(pretrained)
    try:
        network: nn.Module = timm.create_model(model.name, **options)
    except (TypeError, ValueError, RuntimeError, AssertionError, KeyError) as error:
        raise ConfigError(
            f"the model cannot be built: {' '.join(str(error).split())[:300]}",
            where=f"model.name: {model.name}, data.image_size: {config.data.image_size}",
            hint="choose another image size, leave out what it does not take, or check the weights",
        ) from error
    return network
