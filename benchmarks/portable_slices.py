"""What two slices an operand cost: products and convolutions with one slice and with two, in turns.

CPU time of one thread, by the float64 backend, the least of several rounds.

    CXR_PORTABLE_PRODUCTS=float64 uv run python benchmarks/portable_slices.py
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import torch

from cxr.determinism.portable.exact.convolution import convolution, convolution_backward
from cxr.determinism.portable.exact.products import matmul
from result import Result, Table, format_ms

# Channels in and out, image side, stride: layers of ResNet-18 at 224 px, batch 8.
_CONVOLUTIONS: Final = ((64, 64, 56, 1), (256, 512, 14, 2))
_BATCH: Final = 8
_SLICES: Final = (1, 2)


def list_calls() -> Iterator[tuple[str, Callable[..., object]]]:
    """Yield what is measured: its name, and a function of the number of slices."""
    a, b = torch.randn(1576, 192), torch.randn(192, 768)
    yield "1576x192 times 192x768", functools.partial(matmul, a, b)
    for num_in, num_out, side, stride in _CONVOLUTIONS:
        x, weight = torch.randn(_BATCH, num_in, side, side), torch.randn(num_out, num_in, 3, 3)
        common = ([stride, stride], [1, 1], [1, 1], False, [0, 0], 1)
        grad = torch.randn_like(convolution(x, weight, None, *common))
        label = f"3x3, {num_in} to {num_out}, {side} px, stride {stride}"
        yield f"{label}, forward", functools.partial(convolution, x, weight, None, *common)
        backward = functools.partial(convolution_backward, grad, x, weight, None, *common)
        yield f"{label}, backward", functools.partial(backward, [True, True, False])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    result = Result(benchmark="portable_slices", settings={"rounds": options.rounds})
    rows = []
    for label, call in list_calls():
        best = dict.fromkeys(_SLICES, float("inf"))
        for _ in range(options.rounds):
            for slices in _SLICES:
                start = time.process_time()
                call(slices=slices)
                best[slices] = min(best[slices], time.process_time() - start)
        one, two = (best[slices] for slices in _SLICES)
        result.figures[label] = {"one_s": one, "two_s": two}
        rows.append((label, format_ms(one), format_ms(two), f"{two / one:.1f}"))
    header = ("product", "one slice", "two slices", "ratio")
    result.tables = [Table(title="CPU time of one thread", header=header, rows=rows)]
    result.show(options.json)


if __name__ == "__main__":
    main()
