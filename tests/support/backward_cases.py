"""Operations that users' models may need, forward and backward, and a digest of their bits.

As a program it prints two digests: of the portable operations and of torch's own.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from cxr.determinism.portable.mode import portable_arithmetic
from support.fixed_numbers import draw_fixed

SHAPE = (3, 4, 6, 6)
TWICE = torch.tensor([0, 2, 2])
PLACES = torch.arange(3 * 4 * 6 * 2).reshape(3, 4, 6, 2) * 7 % 5
SLOPES = draw_fixed(4, seed=3) * 0.25
BOUND = draw_fixed(*SHAPE, seed=4)

CASES: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs,
    "abs, a power": lambda x: (x.abs() + 1.0).pow(1.5),
    "clamp by numbers": lambda x: x.clamp(-1.0, 1.5),
    "clamp by tensors": lambda x: x.clamp(BOUND.to(x.dtype), BOUND.to(x.dtype) + 1.0),
    "clamp from below": lambda x: x.clamp(min=BOUND.to(x.dtype)),
    "clamp from above": lambda x: x.clamp(max=BOUND.to(x.dtype)),
    "max along an axis": lambda x: x.max(1)[0],
    "min along an axis": lambda x: x.min(-1, keepdim=True)[0],
    "max": torch.max,
    "amax": lambda x: x.amax((2, 3)),
    "amin": lambda x: x.amin(1),
    "amax of ties": lambda x: x.sign().amax((2, 3)) * x.amax((2, 3)),
    "aminmax": lambda x: torch.stack(torch.aminmax(x, dim=1)),
    "gather": lambda x: x.gather(3, PLACES),
    "take along an axis": lambda x: torch.take_along_dim(x, PLACES, 3),
    "indices": lambda x: x[:, TWICE],
    "indices of two axes": lambda x: x[:, :, TWICE, TWICE],
    "indices apart": lambda x: x[TWICE, :, TWICE],
    "a mask": lambda x: x[x > 0],
    "reflection": lambda x: functional.pad(x, (2, 1, 3, 5), mode="reflect"),
    "reflection, one axis": lambda x: functional.pad(x[0], (5, 0), mode="reflect"),
    "replication": lambda x: functional.pad(x, (2, 0, 3, 2), mode="replicate"),
    "replication, one axis": lambda x: functional.pad(x[0], (1, 4), mode="replicate"),
    "gated linear units": lambda x: functional.glu(x, 1),
    "slopes": lambda x: functional.prelu(x, SLOPES.to(x.dtype)),
    "one slope": lambda x: functional.prelu(x, SLOPES[:1].to(x.dtype)),
}


def differentiate(compute: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Return what is computed, and the gradient of a weighted sum of it."""
    leaf = x.clone().requires_grad_()
    found = compute(leaf)
    weights = draw_fixed(*found.shape, seed=1).to(x.dtype)
    found.backward(weights)
    assert leaf.grad is not None
    return found.detach(), leaf.grad


def digest_cases() -> str:
    """Return a digest of what every case computes, and of its gradient."""
    state = hashlib.sha256()
    for name, compute in CASES.items():
        for tensor in differentiate(compute, draw_fixed(*SHAPE, seed=2)):
            state.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return state.hexdigest()


if __name__ == "__main__":
    with portable_arithmetic("a test"):
        found = digest_cases()
    sys.stdout.write(f"{found} {digest_cases()}\n")
