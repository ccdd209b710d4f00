"""What a loop's loader and optimizers are set to: part of a record's hyperparameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import torch

from cxr.integrations.drawn_samples import name_sampler

_LOADER_FIELDS: Final = (
    "batch_size",
    "drop_last",
    "num_workers",
    "persistent_workers",
    "pin_memory",
    "worker_init_fn",
)


def describe_loader(loader: Any) -> dict[str, Any]:
    """Return what a data loader is set to, and the classes of its data set and its sampler."""
    fields = {name: getattr(loader, name) for name in _LOADER_FIELDS if hasattr(loader, name)}
    batches = getattr(loader, "batch_sampler", None)
    data = getattr(loader, "dataset", None)
    return {
        **fields,
        "batch_size": getattr(batches, "batch_size", fields.get("batch_size")),
        "dataset": None if data is None else type(data).__name__,
        "sampler": name_sampler(loader),
        "own_generator": getattr(loader, "generator", None) is not None,
    }


def describe_optimizers(optimizers: Iterable[torch.optim.Optimizer]) -> dict[str, Any]:
    """Return class and settings of each optimizer, by its number and its groups' numbers."""
    return {
        str(number): {
            "class": type(optimizer).__name__,
            **{
                f"group{place}": {key: value for key, value in group.items() if key != "params"}
                for place, group in enumerate(optimizer.param_groups)
            },
        }
        for number, optimizer in enumerate(optimizers)
    }
