"""Print a digest of portable products on fixed inputs: ``python -m support.portable_products``.

One argument: the backend, or ``measured`` for the one that this machine chooses.
"""

from __future__ import annotations

import contextlib
import hashlib
import sys
from collections.abc import Iterator

import torch

from cxr.determinism.portable.exact.backend_choice import use_backend
from cxr.determinism.portable.exact.products import REPLACED, batched_matmul, matmul
from cxr.determinism.portable.exact.scaling import find_exponents, quantise_twice
from support.fixed_numbers import draw_float32


def compute_results() -> Iterator[torch.Tensor]:
    """Yield what every op of the module gives, in all layouts and for short and long products."""
    for num_rows, inner, num_columns in ((1, 1, 1), (64, 576, 33), (7, 40000, 5), (300, 147, 20)):
        a, b = draw_float32((num_rows, inner), 1), draw_float32((inner, num_columns), 2)
        yield matmul(a, b)
        yield matmul(a.t().contiguous().t(), b, slices=2)
        yield matmul(b.t(), a.t())
        # Magnitudes over all of float32's range, and a row of zeros.
        a[0], b[:, -1] = a[0] * 2.0**120, b[:, -1] * 2.0**-130
        a[-1] = 0
        yield matmul(a, b)
        yield find_exponents(a, (1,))
        yield from quantise_twice(a, find_exponents(a, (1,)))
    batch = draw_float32((6, 50, 40), 3)
    yield batched_matmul(batch, batch.transpose(1, 2))
    for name, operands in {
        "addmm": ((20, 30), (20, 70), (70, 30)),
        "baddbmm": ((6, 20, 30), (6, 20, 70), (6, 70, 30)),
        "addmv": ((20,), (20, 70), (70,)),
        "addr": ((20, 30), (20,), (30,)),
    }.items():
        inputs = [draw_float32(shape, stream) for stream, shape in enumerate(operands)]
        yield REPLACED[f"aten.{name}.default"](*inputs, alpha=0.1, beta=1 / 3)
    yield REPLACED["aten.dot.default"](draw_float32((99999,), 4), draw_float32((99999,), 5))


def main() -> None:
    """Hash all results in their logical order."""
    backend = sys.argv[1]
    digest = hashlib.sha256()
    with contextlib.nullcontext() if backend == "measured" else use_backend(backend):
        for result in compute_results():
            digest.update(result.contiguous().numpy().tobytes())
    print(digest.hexdigest())  # noqa: T201  # what the test compares


if __name__ == "__main__":
    main()
