"""Time of portable matrix products against native float32, by backend: the least of some rounds.

    OMP_NUM_THREADS=2 python benchmarks/portable_products.py [--give-back]

``--give-back`` leaves the allocator as it is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch

from cxr.determinism.portable.exact.backend_choice import use_backend
from cxr.determinism.portable.exact.planes import FLOAT64, INT8
from cxr.determinism.portable.exact.products import matmul, multiply_planes
from cxr.determinism.portable.exact.scaling import find_exponents, quantise
from cxr.determinism.portable.memory import keep_freed_memory

SHAPES = [
    (4096, 576, 64),
    (25088, 147, 64),
    (25088, 576, 64),
    (1568, 2304, 256),
    (1576, 192, 192),
    (1576, 192, 768),
    (64, 12544, 576),
]
NUM_ROUNDS = 9


def time_each(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the least time of each call in milliseconds; rounds take all of them in turn."""
    least = dict.fromkeys(calls, float("inf"))
    for _ in range(NUM_ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            least[name] = min(least[name], (time.perf_counter() - start) * 1e3)
    return least


def multiply_with(backend: str, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the whole portable product by ``backend``."""
    with use_backend(backend):
        return matmul(a, b)


def main() -> None:
    """Print a row for each shape."""
    kept = "--give-back" not in sys.argv and keep_freed_memory()
    print(f"freed memory is kept: {kept}; milliseconds")
    for num_rows, inner, num_columns in SHAPES:
        a, b = torch.rand(num_rows, inner) - 0.5, torch.rand(inner, num_columns) - 0.5
        integers = quantise(a, find_exponents(a, (1,))), quantise(b, find_exponents(b, (0,)))
        doubles, digits = ([each.split(x) for x in integers] for each in (FLOAT64, INT8))
        times = time_each(
            {
                "float32": lambda a=a, b=b: a @ b,
                "float64 planes": lambda planes=doubles: multiply_planes(*planes),
                "int8 planes": lambda planes=digits: multiply_planes(*planes),
                "float64 in all": lambda a=a, b=b: multiply_with("float64", a, b),
                "int8 in all": lambda a=a, b=b: multiply_with("int8", a, b),
            }
        )
        print(
            f"{num_rows}x{inner}x{num_columns}:",
            ", ".join(f"{name} {figure:.2f}" for name, figure in times.items()),
        )


if __name__ == "__main__":
    main()
