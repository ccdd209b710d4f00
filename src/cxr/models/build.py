"""Building a network by name, initialised from its own stream."""

from __future__ import annotations

import difflib
import functools
from typing import Any, Final

from torch import nn

from cxr.config.schema import ModelConfig, RunConfig
from cxr.determinism.levels import Level
from cxr.determinism.seeding import seed_global_generators
from cxr.determinism.streams import derive_seed
from cxr.errors import ConfigError, DeterminismError, WeightsError
from cxr.models.fit import find_classifiers, load_whole, loading_whole
from cxr.models.mlp import Mlp
from cxr.models.weights import InitialWeights, find_weights

MLP: Final = "mlp"

_BUILD_ERRORS: Final = (
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What timm's models raise for settings that they do not take, or for tensors they cannot adapt."""

_FOLDING: Final = frozenset({"CondConv2d"})
"""Layers of timm that fold the batch into the groups of a convolution.

Source: timm's ``layers/cond_conv2d.py``, ``forward``."""
_ANOTHER: Final = "choose another model, or determinism: strict (the bits of this machine)"


def find_initial_weights(config: RunConfig) -> InitialWeights | None:
    """Check that the model is known and that the weights it starts from are at hand.

    Returns:
        The weights, or None where they are drawn.

    Raises:
        ConfigError: No model has this name, or a hub's revision is not given.
        WeightsError: The weights are missing, or not those that the config names.
    """
    require_known_model(config.model.name)
    return find_weights(config.model.weights) if config.model.weights is not None else None


def build_network(
    config: RunConfig, *, num_classes: int, weights: InitialWeights | None = None
) -> nn.Module:
    """Build a network from its stream, or from given weights.

    At the level ``portable`` each parameter has a stream of its own.

    Raises:
        ConfigError: The model does not take these settings.
        DeterminismError: Its weights cannot be drawn at the level ``portable``.
        WeightsError: The weights do not fit.
    """
    build = functools.partial(_build, config, num_classes, weights)
    if config.determinism is not Level.PORTABLE:
        return build()
    from cxr.determinism.portable.errors import UnsupportedError
    from cxr.determinism.portable.random.initialisation import build_portably

    try:
        network = build_portably(build, config.find_root("init"))
    except UnsupportedError as error:
        raise DeterminismError(
            f"the model cannot be initialised portably: {error}",
            where=f"model.name: {config.model.name}",
            hint=_ANOTHER,
        ) from error
    _require_samples_apart(network, config)
    return network


def _require_samples_apart(network: nn.Module, config: RunConfig) -> None:
    """Refuse a model that hands a batch to a convolution as one image, a sample a group.

    The exponent that a sample's numbers share would be the batch's, and so the batch of an
    evaluation would change bits.

    Raises:
        DeterminismError: Naming the layer.
    """
    for module in network.modules():
        if type(module).__name__ in _FOLDING:
            raise DeterminismError(
                f"a layer makes one image of a batch: {type(module).__name__} has no portable form",
                where=f"model.name: {config.model.name}",
                hint=_ANOTHER,
            )


def require_known_model(name: str) -> None:
    """Refuse a name that neither cxr nor timm knows; timm is imported where it is asked.

    Raises:
        ConfigError: Naming the nearest models.
    """
    if name == MLP:
        return
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
    """Leave only the classifier to be trained, where the config asks for a linear probe.

    Raises:
        ConfigError: The model has no classifier that could be told apart.
    """
    if config.freeze == "none":
        return
    classifiers = find_classifiers(network)
    if not classifiers:
        raise ConfigError(
            "the model has no classifier to train apart from its backbone",
            where=f"model.freeze, model.name: {config.name}",
            hint="use model.freeze: none, or choose another model",
        )
    network.requires_grad_(requires_grad=False)
    for classifier in classifiers:
        classifier.requires_grad_(requires_grad=True)


def set_training_mode(network: nn.Module, config: ModelConfig) -> None:
    """Put a network into training mode; a frozen backbone keeps its statistics.

    A backbone that is frozen gives the same features in every epoch, so nothing of it is dropped:
    timm's models drop outside the classifier, and the config refuses to ask for it.
    """
    network.train(mode=config.freeze == "none")
    if config.freeze == "backbone":
        for classifier in find_classifiers(network):
            classifier.train()


def _build(config: RunConfig, num_classes: int, weights: InitialWeights | None) -> nn.Module:
    """Build a network once."""
    seed_global_generators(derive_seed(config.find_root("init"), "init"))
    if config.model.name == MLP:
        return _build_mlp(config, num_classes, weights)
    network = _build_timm(config, num_classes, weights)
    freeze_backbone(network, config.model)
    return network


def _build_mlp(config: RunConfig, num_classes: int, weights: InitialWeights | None) -> nn.Module:
    network = Mlp(
        num_features=config.data.channels * config.data.image_size**2,
        hidden=config.model.hidden,
        num_classes=num_classes,
        drop_rate=config.model.drop_rate,
    )
    if weights is not None:
        load_whole(network, weights.tensors, where=str(weights.path))
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
    try:
        if weights is None:
            drawn: nn.Module = timm.create_model(model.name, **options)
            return drawn
        return _load_timm(model.name, options, pretrained, weights)
    except _BUILD_ERRORS as error:
        said = " ".join(str(error).split())[:300]
        if weights is not None:
            # Where it cannot be built without them either, the model is at fault.
            _build_timm(config, num_classes, None)
            raise WeightsError(
                f"the weights do not fit the model: {said}",
                where=str(weights.path),
                hint=f"give weights of {model.name}, or set model.weights to null",
            ) from error
        raise ConfigError(
            f"the model cannot be built: {said}",
            where=f"model.name: {model.name}, data.image_size: {config.data.image_size}",
            hint="choose another image size, or leave out what it does not take",
        ) from error


def _load_timm(
    name: str, options: dict[str, Any], pretrained: Any, weights: InitialWeights
) -> nn.Module:
    """Let timm adapt and load tensors that were read before, so that it never opens a file.

    timm drops a classifier whose number of classes is not the one asked for, and judges by its
    description of the weights: that one is made to say what the file holds.
    """
    import timm

    tensors = timm.models.clean_state_dict(dict(weights.tensors))
    overlay: dict[str, Any] = {"state_dict": tensors, "custom_load": False}
    classifier = getattr(pretrained, "classifier", None)
    heads = (classifier,) if isinstance(classifier, str) else tuple(classifier or ())
    held = [tensors[f"{head}.weight"] for head in heads if f"{head}.weight" in tensors]
    if held:
        overlay["num_classes"] = len(held[0])
    with loading_whole(str(weights.path), heads=heads):
        network: Any = timm.create_model(
            name, pretrained=True, pretrained_cfg_overlay=overlay, **options
        )
    # The description that the network keeps holds a second copy of every tensor.
    network.pretrained_cfg.pop("state_dict", None)
    loaded: nn.Module = network
    return loaded
