"""Digests of everything that the portable functions give on fixed inputs.

``python portable_function_bits.py`` prints them as JSON; nothing here draws from torch.
"""

from __future__ import annotations

import hashlib
import json
import sys

import torch

from cxr.determinism.portable.elementary import functions
from cxr.determinism.portable.elementary import scalar_functions as scalar
from cxr.determinism.portable.layers import activations, losses, piecewise, softmax
from cxr.determinism.threefry import threefry2x32

# More than one block of elements for a thread, and no multiple of a vector's length.
NUM = 2**15 + 2**14 + 5
BACKWARD = {
    "gelu_backward": (),
    "silu_backward": (),
    "mish_backward": (),
    "softplus_backward": (1.0, 20.0),
    "sigmoid_backward": (),
    "tanh_backward": (),
    "threshold_backward": (0.0,),
    "hardtanh_backward": (-1.0, 1.0),
    "leaky_relu_backward": (0.01, False),
    "hardsigmoid_backward": (),
    "hardswish_backward": (),
}
SPECIAL = [0x0, 0x1, 0x7FFFFF, 0x800000, 0x3F800000, 0x40400000, 0x7F7FFFFF, 0x7F800000, 0x7FC00000]
TABLE = {
    **functions.REPLACED,
    **activations.REPLACED,
    **piecewise.REPLACED,
    **softmax.REPLACED,
    **losses.REPLACED,
}


def draw_words(num: int, stream: int) -> torch.Tensor:
    """Return 32-bit words, shape (num,), int64."""
    counter = torch.arange(num, dtype=torch.int64)
    return threefry2x32((stream, 17), (counter, torch.zeros_like(counter)))[0]


def draw_any_bits(num: int, stream: int) -> torch.Tensor:
    """Return float32 of any bits, special values first; a NaN has one form."""
    special = torch.tensor([word | sign for word in SPECIAL for sign in (0, 1 << 31)])
    words = torch.cat([special, draw_words(num - len(special), stream)])
    signed = torch.where(words >= 2**31, words - 2**32, words)
    values = signed.to(torch.int32).view(torch.float32)
    return values.masked_fill(values.isnan(), torch.nan)


def draw_usual(num: int, stream: int, *, limit: float = 16.0) -> torch.Tensor:
    """Return float32 of usual size, up to a limit (a power of two) either way."""
    return ((draw_words(num, stream) - 2**31).double() * (limit * 2.0**-31)).float()


def digest(*tensors: torch.Tensor) -> str:
    """Return the first half of the SHA-256 of the bytes in logical order."""
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(tensor.contiguous().numpy().tobytes())
    return found.hexdigest()[:32]


def digest_elementwise() -> dict[str, str]:
    """Digest each function of one argument, on any bits and on usual values."""
    x = torch.cat([draw_any_bits(NUM, 1), draw_usual(NUM, 2)])
    names = [*functions._FUNCTIONS, "gelu", "silu", "mish", "softplus", "elu", "celu"]
    names += ["relu", "hardtanh", "leaky_relu", "hardsigmoid", "hardswish"]
    found = {name: digest(TABLE[f"aten.{name}.default"](x)) for name in names}
    found["gelu tanh"] = digest(activations.gelu(x, approximate="tanh"))
    found["log_sigmoid"] = digest(activations.log_sigmoid_forward(x)[0])
    found["clamp"] = digest(piecewise.clamp(x, 0.0, None), piecewise.clamp_max(x, 0.0))
    for exponent in (2, 3, 0.5, -0.5, -1.5, 0.3):
        found[f"pow {exponent}"] = digest(TABLE["aten.pow.Tensor_Scalar"](x, exponent))
    found["pow"] = digest(TABLE["aten.pow.Tensor_Tensor"](x, x.flip(0)))
    return found


def digest_backward() -> dict[str, str]:
    """Digest each derivative."""
    x = torch.cat([draw_any_bits(NUM, 3), draw_usual(NUM, 4)])
    grad = draw_usual(len(x), 5, limit=2.0)
    found = {
        name: digest(TABLE[f"aten.{name}.default"](grad, x, *rest))
        for name, rest in BACKWARD.items()
    }
    found["gelu tanh backward"] = digest(activations.gelu_backward(grad, x, approximate="tanh"))
    found["log_sigmoid backward"] = digest(activations.log_sigmoid_backward(grad, x, x))
    found["elu backward"] = digest(
        activations.elu_backward(grad, 1.5, 1.1, 0.5, is_result=False, value=x)
    )
    return found


def digest_rows() -> dict[str, str]:
    """Digest softmax, its logarithm and the losses."""
    x = draw_usual(7 * 197 * 31, 6).reshape(7, 197, 31)
    grad = draw_usual(7 * 197 * 31, 7, limit=1.0).reshape(7, 197, 31)
    found = {}
    for dim in (0, 1, 2):
        y, log_y = (
            softmax.softmax(x, dim, half_to_float=False),
            softmax.log_softmax(x, dim, half_to_float=False),
        )
        back = softmax.softmax_backward(grad, y, dim, torch.float32)
        log_back = softmax.log_softmax_backward(grad, log_y, dim, torch.float32)
        found[f"softmax {dim}"] = digest(y, log_y, back, log_back)
    logits, wanted = draw_usual(1003 * 14, 8).reshape(1003, 14), draw_words(1003, 9) % 14
    weights = draw_usual(14, 10, limit=1.0).abs()
    log_probs = softmax.log_softmax(logits, 1, half_to_float=False)
    for reduction in (0, 1, 2):
        loss, total = losses.nll_loss_forward(log_probs, wanted, weights, reduction, 3)
        upstream = torch.ones_like(loss)
        back = losses.nll_loss_backward(upstream, log_probs, wanted, weights, reduction, 3, total)
        found[f"nll_loss {reduction}"] = digest(loss, total, back)
        known = (draw_words(1003 * 14, 11) % 2).float().reshape(1003, 14)
        answers = (draw_words(1003 * 14, 12) % 2).float().reshape(1003, 14)
        found[f"bce {reduction}"] = digest(
            losses.binary_cross_entropy_with_logits(logits, answers, known, weights, reduction)
        )
    return found


def digest_float64() -> dict[str, str]:
    """Digest the float64 functions, and those of Python's floats."""
    x = draw_usual(NUM, 13).double() + draw_usual(NUM, 14, limit=2.0**-20).double()
    found = {
        "exp64": digest(functions.exp64(x), functions.expm1_64(x)),
        "log64": digest(functions.log64(x.abs()), functions.log1p_64(x.abs())),
        "tanh64": digest(functions.tanh64(x), functions.sigmoid64(x), functions.erf64(x)),
        "sqrt64": digest(functions.sqrt64(x.abs()), functions.rsqrt64(x.abs())),
    }
    for name in ("exp", "expm1", "cos", "sin", "log", "log1p"):
        apply = getattr(scalar, name)
        sides = [abs(value) if "log" in name else value for value in x[:500].tolist()]
        found[f"scalar {name}"] = digest(
            torch.tensor([apply(value) for value in sides], dtype=torch.float64)
        )
    powers = [scalar.power(base, n) for base in (0.9, 0.999, -1.25) for n in range(-40, 1000, 7)]
    found["scalar power"] = digest(torch.tensor(powers, dtype=torch.float64))
    return found


def digest_all() -> dict[str, str]:
    """Return every digest by name."""
    return {**digest_elementwise(), **digest_backward(), **digest_rows(), **digest_float64()}


if __name__ == "__main__":
    json.dump(digest_all(), sys.stdout, indent=1)
