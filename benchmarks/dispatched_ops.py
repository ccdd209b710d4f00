"""Every aten op, with the kinds of its arguments, that the listed models dispatch on the CPU.

One training step with each loss and each of torch's own optimizers, one evaluation under inference
mode, and the drawing of the initial weights. The table of the portable arithmetic is held against
what this writes: ``tests/unit/determinism/portable/dispatched_ops.json``.

    uv run python benchmarks/dispatched_ops.py --write FILE
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from portable_models import MODELS, Model, build

_CLASSES: Final = 3
_BATCH: Final = 2

Kinds = defaultdict[str, set[str]]
"""Of each op, the kinds of its arguments."""


class RecordingMode(TorchDispatchMode):
    """Notes each op and runs it."""

    def __init__(self, kinds: Kinds) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._kinds = kinds

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Note and run; what torch would compose of other ops is taken apart first."""
        del types
        kwargs = kwargs or {}
        if func != torch.ops.aten.detach.default:
            with self:
                taken_apart = func.decompose(*args, **kwargs)
            if taken_apart is not NotImplemented:
                return taken_apart
        kind = ", ".join(
            [describe(value) for value in args]
            + [f"{name}={describe(value)}" for name, value in kwargs.items()]
        )
        self._kinds[str(func)].add(kind)
        return func(*args, **kwargs)


def describe(value: Any) -> str:
    """Return the kind of an argument: dtypes and whether a scalar is 1, not sizes."""
    if isinstance(value, torch.Tensor):
        shape = "scalar " if value.ndim == 0 else ""
        return f"{shape}{str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, list | tuple):
        inner = sorted({describe(item) for item in value})
        return f"[{' | '.join(inner)}]"
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return str(value)
    if isinstance(value, int | float):
        return f"{type(value).__name__} 1" if value == 1 else type(value).__name__
    return str(value)


def record(kinds: Kinds, model: Model) -> None:
    """Note the ops of one model."""
    with RecordingMode(kinds):
        network = build(model, num_classes=_CLASSES)
    side = model.image_size
    images = torch.rand(_BATCH, 3, side, side)
    labels = torch.tensor([0, 2])
    wanted = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    known = torch.tensor([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
    weights = torch.tensor([1.0, 2.0, 0.5])
    network.train()
    with RecordingMode(kinds):
        logits = network(images)
        choice = functional.cross_entropy(
            logits, labels, weight=weights, label_smoothing=0.1, reduction="sum"
        )
        each = functional.binary_cross_entropy_with_logits(
            logits, wanted * 0.9 + 0.05, weight=known, pos_weight=weights, reduction="sum"
        )
        (choice / weights[labels].sum() + each / 5.0).backward()
    for optimizer in (
        torch.optim.SGD(
            network.parameters(),
            lr=0.1,
            momentum=0.9,
            nesterov=True,
            weight_decay=0.01,
            foreach=False,
        ),
        torch.optim.AdamW(network.parameters(), lr=0.1, weight_decay=0.01, foreach=False),
    ):
        with RecordingMode(kinds):
            optimizer.step()
    network.eval()
    with torch.inference_mode(), RecordingMode(kinds):
        network(images)


def main() -> None:
    """Record and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between two models")
    options = parser.parse_args()
    kinds: Kinds = defaultdict(set)
    for model in MODELS:
        if not options.only or model.name in options.only:
            record(kinds, model)
            print(f"{model.name}: {len(kinds)} ops so far", flush=True)
            time.sleep(options.pause)
    found = {op: sorted(kinds[op]) for op in sorted(kinds)}
    options.write.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
