"""Portable normalisation, pooling and sums against torch's own, call by call.

Both take turns in one process on the same tensors and threads, after the allocator was told to keep
freed memory. What counts is the fastest call of each, in milliseconds: what makes one slower is the
machine.

    uv run python benchmarks/portable_reductions.py
    uv run python benchmarks/portable_reductions.py --rounds 20 --threads 1
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from cxr.determinism.portable.layers import normalisation, pooling
from cxr.determinism.portable.memory import keep_freed_memory
from cxr.determinism.portable.trees import reductions

REPLACED = {**reductions.REPLACED, **normalisation.REPLACED, **pooling.REPLACED}
ALL = [True, True, True]
aten = torch.ops.aten

Call = tuple[str, str, tuple[Any, ...]]


def make_pictures(*shape: int) -> Tensor:
    """Return random channels-last pictures."""
    return torch.rand(shape).contiguous(memory_format=torch.channels_last)


def list_batch_normalisations() -> Iterator[Call]:
    """Yield label, operation and arguments."""
    for shape in ((8, 64, 112, 112), (8, 256, 56, 56), (8, 512, 7, 7), (8, 64, 16, 16)):
        x, gradient = make_pictures(*shape), make_pictures(*shape)
        ones, zeros = torch.ones(shape[1]), torch.zeros(shape[1])
        _, mean, rstd = torch.native_batch_norm(x, ones, zeros, None, None, True, 0.1, 1e-5)  # noqa: FBT003
        name = f"batch norm {list(shape)}"
        forward = "aten.native_batch_norm.default"
        yield f"{name}, forward", forward, (x, ones, zeros, zeros, ones, True, 0.1, 1e-5)
        yield f"{name}, evaluation", forward, (x, ones, zeros, zeros, ones, False, 0.1, 1e-5)
        arguments = (gradient, x, ones, zeros, ones, mean, rstd, True, 1e-5, ALL)
        yield f"{name}, backward", "aten.native_batch_norm_backward.default", arguments


def list_layer_normalisations() -> Iterator[Call]:
    """Yield label, operation and arguments."""
    for shape in ((8, 196, 192), (8, 197, 384), (8, 56, 56, 40)):
        x, gradient, last = torch.rand(shape), torch.rand(shape), [shape[-1]]
        ones, zeros = torch.ones(last), torch.zeros(last)
        _, mean, rstd = torch.native_layer_norm(x, last, ones, zeros, 1e-5)
        name = f"layer norm {list(shape)}"
        arguments: tuple[Any, ...] = (x, last, ones, zeros, 1e-5)
        yield f"{name}, forward", "aten.native_layer_norm.default", arguments
        arguments = (gradient, x, last, mean, rstd, ones, zeros, ALL)
        yield f"{name}, backward", "aten.native_layer_norm_backward.default", arguments


def list_others() -> Iterator[Call]:
    """Yield label, operation and arguments."""
    x = make_pictures(8, 64, 112, 112)
    windows = ([3, 3], [2, 2], [1, 1])
    maxima, places = aten.max_pool2d_with_indices(x, *windows)
    yield "max-pool 3x3/2, forward", "aten.max_pool2d_with_indices.default", (x, *windows)
    backward = (torch.rand_like(maxima), x, *windows, [1, 1], False, places)
    yield "max-pool 3x3/2, backward", "aten.max_pool2d_with_indices_backward.default", backward
    x = make_pictures(8, 128, 56, 56)
    yield "average pool 2x2, forward", "aten.avg_pool2d.default", (x, [2, 2], [2, 2])
    backward = (make_pictures(8, 128, 28, 28), x, [2, 2], [2, 2], [0, 0], False, True, None)
    yield "average pool 2x2, backward", "aten.avg_pool2d_backward.default", backward
    yield "mean of 7x7", "aten.mean.dim", (make_pictures(8, 512, 7, 7), [2, 3])
    weights = torch.rand(512, 512, 3, 3)
    yield "sum of 2.4 million", "aten.sum.default", (weights,)
    yield "2-norm of 2.4 million", "aten.linalg_vector_norm.default", (weights,)
    yield "bias gradient [8, 196, 768]", "aten.sum.dim_IntList", (torch.rand(8, 196, 768), [0, 1])


def measure(call: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    """Return how many milliseconds a call takes."""
    start = time.perf_counter()
    call(*arguments)
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    """Print a line for each call."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    print(f"{'milliseconds':42} portable   native    ratio")
    for calls in (list_batch_normalisations, list_layer_normalisations, list_others):
        for label, name, arguments in calls():
            _, packet, overload = name.split(".")
            rivals = REPLACED[name], getattr(getattr(aten, packet), overload)
            times = [[measure(rival, arguments) for rival in rivals] for _ in range(options.rounds)]
            portable, native = map(min, zip(*times, strict=True))
            print(f"{label:42} {portable:8.2f} {native:8.2f} {portable / native:8.1f}", flush=True)


if __name__ == "__main__":
    main()
