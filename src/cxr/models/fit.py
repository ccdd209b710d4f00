"""Whether given weights fit: every tensor of the file has a place, and every place a tensor."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import torch
from torch import nn

from cxr.errors import WeightsError

_SHOWN: Final = 3
"""Tensors that an error names."""


def load_whole(
    network: nn.Module,
    tensors: Mapping[str, torch.Tensor],
    *,
    where: str,
    heads: Sequence[str] = (),
) -> Any:
    """Load ``tensors``; only a classifier that they lack altogether may stay as it was drawn.

    Args:
        network: A network that has been initialised.
        tensors: Parameters and buffers by name.
        where: The file, for an error.
        heads: Modules that count as classifiers besides those that the network names.

    Returns:
        What torch's ``load_state_dict`` returns.

    Raises:
        WeightsError: A tensor is missing, left over or of another shape.
    """
    try:
        found = network.load_state_dict(tensors, strict=False)
    except RuntimeError as error:
        raise _refuse(_describe_error(error, network, tensors), where) from error
    missing = set(found.missing_keys)
    for classifier in ([*_name_classifiers(network)], [*heads]):
        drawn = {name for name in network.state_dict() if name.rpartition(".")[0] in classifier}
        if drawn <= missing:
            missing -= drawn
    misfits = [f"{name} is missing" for name in found.missing_keys if name in missing]
    misfits += [f"{name} is left over" for name in found.unexpected_keys]
    if misfits:
        raise _refuse(misfits, where)
    return found


@contextlib.contextmanager
def loading_whole(where: str, *, heads: Sequence[str]) -> Iterator[None]:
    """Make a library load whole whatever it loads in the block.

    timm adapts weights as it loads them, and offers no place between the two. It lets tensors be
    missing or left over once the number of classes differs, and drops what torch says of them.

    Args:
        where: The file, for an error.
        heads: As for `load_whole`.

    Raises:
        WeightsError: They do not fit, or the library loaded nothing.
    """
    original, num_loaded = nn.Module.load_state_dict, 0

    def load(network: nn.Module, tensors: Mapping[str, torch.Tensor], *_: Any, **__: Any) -> Any:
        nonlocal num_loaded
        num_loaded += 1
        nn.Module.load_state_dict = original  # type: ignore[method-assign]
        try:
            return load_whole(network, tensors, where=where, heads=heads)
        finally:
            nn.Module.load_state_dict = load  # type: ignore[method-assign,assignment]

    nn.Module.load_state_dict = load  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        nn.Module.load_state_dict = original  # type: ignore[method-assign]
    if not num_loaded:
        raise _refuse(["the model loads none"], where)


def find_classifiers(network: nn.Module) -> list[nn.Module]:
    """Return the classifiers that have something to train; models with two heads have two."""
    named: Any = getattr(network, "get_classifier", None)
    found = named() if named is not None else None
    heads = found if isinstance(found, (tuple, list)) else [found]
    return [head for head in heads if isinstance(head, nn.Module) and [*head.parameters()]]


def _name_classifiers(network: nn.Module) -> set[str]:
    """Return the names of the classifiers and of the modules inside them."""
    inside = {part for head in find_classifiers(network) for part in head.modules()}
    return {name for name, module in network.named_modules() if module in inside}


def _describe_error(
    error: RuntimeError, network: nn.Module, tensors: Mapping[str, torch.Tensor]
) -> list[str]:
    """Name the tensors of another shape, or say what torch says where there are none."""
    misshapen = [
        f"{name} is {list(tensors[name].shape)} and not {list(value.shape)}"
        for name, value in network.state_dict().items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    return misshapen or [" ".join(str(error).split())[:200]]


def _refuse(misfits: list[str], where: str) -> WeightsError:
    more = f", and {len(misfits) - _SHOWN} more" if len(misfits) > _SHOWN else ""
    return WeightsError(
        f"the weights do not fit the model: {', '.join(misfits[:_SHOWN])}{more}",
        where=where,
        hint="give weights of this very model, or set model.weights to null",
    )
