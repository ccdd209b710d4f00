"""Digests of what the portable mode makes of ops that torch would fuse, order or choose itself.

``python -m support.portable_mode_bits`` prints them as JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys

import torch
from torch.nn import functional

from cxr.determinism.portable.mode import portable_arithmetic
from support.fixed_numbers import draw_float32

# No multiple of a vector's length, and more than one thread's share.
NUM = 2**17 + 5


def digest(*tensors: torch.Tensor) -> str:
    """Return the SHA-256 of the tensors' bytes."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.detach().contiguous().numpy().tobytes())
    return found.hexdigest()


def compute_scalars() -> str:
    """Scalars, multiply-adds and interpolation, in place and not."""
    x, y, z = (draw_float32((NUM,), stream) for stream in range(3))
    return digest(
        x.add(y, alpha=0.1),
        x.sub(y, alpha=0.3),
        x * 0.1 + 7,
        x / 3,
        1.0 / (y.abs() + 0.5),
        x.clone().add_(y, alpha=-0.7),
        torch.addcmul(x, y, z, value=0.9),
        torch.addcdiv(x, y, z.abs() + 0.5, value=0.9),
        torch.lerp(x, y, 0.3),
        torch.lerp(x, y, z),
    )


def compute_rows() -> str:
    """Rows of which many meet in one place."""
    places = torch.arange(4001).mul(2654435761).remainder(97)
    table = draw_float32((97, 12), 3).requires_grad_()
    grad = draw_float32((4001, 12), 4)
    table[places].backward(grad)
    weight = draw_float32((97, 12), 5).requires_grad_()
    functional.embedding(places, weight).backward(grad)
    return digest(table.grad, weight.grad)


def compute_attention() -> str:
    """Attention with and without a mask, forward and backward."""
    leaves = [draw_float32((2, 3, 67, 16), 6 + number).requires_grad_() for number in range(3)]
    mask = draw_float32((67, 67), 9) > 0
    plain = functional.scaled_dot_product_attention(*leaves)
    masked = functional.scaled_dot_product_attention(*leaves, attn_mask=mask)
    (plain * masked).sum().backward()
    return digest(plain, masked, *(one.grad for one in leaves))


def compute_ranges() -> str:
    """Ranges, distinct values and conversions."""
    values = draw_float32((999,), 10)
    whole = (values * 1000).to(torch.int32)
    return digest(torch.linspace(0.0, 0.3, 13), torch.unique(whole.float()), whole)


PARTS = {
    "scalars": compute_scalars,
    "rows": compute_rows,
    "attention": compute_attention,
    "ranges": compute_ranges,
}


def main() -> None:
    """Print the digest of each part, computed portably and as torch itself does."""
    with portable_arithmetic("a test"):
        portable = {name: compute() for name, compute in PARTS.items()}
    native = {name: compute() for name, compute in PARTS.items()}
    json.dump({"portable": portable, "native": native}, sys.stdout)


if __name__ == "__main__":
    main()
