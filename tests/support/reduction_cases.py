"""Calls of every operation that sums, normalises or pools, and a digest of what they return.

As a program it prints two digests: of the portable operations and of torch's own.
"""

from __future__ import annotations

import hashlib
import math

import torch

from cxr.determinism.portable.layers import normalisation, pooling
from cxr.determinism.portable.trees import extremes, norms, reductions
from support.fixed_numbers import draw_fixed

# Both extremes at once are part of the digest of `support.backward_cases`.
REPLACED = {
    **reductions.REPLACED,
    **norms.REPLACED,
    **{op: extremes.REPLACED[op] for op in extremes.REPLACED if "aminmax" not in op},
    **normalisation.REPLACED,
    **pooling.REPLACED,
}
ALL = [True, True, True]


def find_native(name):
    """Return torch's own operation of a name such as ``aten.sum.default``."""
    _, packet, overload = name.split(".")
    return getattr(getattr(torch.ops.aten, packet), overload)


def list_reductions():
    x = draw_fixed(7, 5, 9, 11)
    plain = {"sum": (), "mean": (), "prod": (), "max": (), "min": (), "linalg_vector_norm": ()}
    for name, arguments in plain.items():
        yield f"aten.{name}.default", (x * 2.0**-3, *arguments), {}
    for name in ("sum.dim_IntList", "mean.dim"):
        for dims in ([0], [3], [0, 2, 3], [1, 2]):
            yield f"aten.{name}", (x, dims, True), {}
    for name in ("var", "var_mean", "std", "std_mean"):
        yield f"aten.{name}.correction", (x, [0, 3]), {"correction": 1}
    for order in (0, 1, 2, math.inf):
        yield "aten.norm.ScalarOpt_dim", (x, order, [1, 3]), {}
    yield "aten.norm.Scalar", (x, 2), {}
    yield "aten.norm.ScalarOpt_dtype", (x, 2), {"dtype": torch.float64}
    yield "aten.norm.ScalarOpt_dim_dtype", (x, 2, [0], True), {"dtype": torch.float64}
    yield "aten._foreach_norm.Scalar", ([x, x[0]], 2), {}
    yield "aten.prod.dim_int", (x, 2), {}
    for name in ("amax", "amin"):
        yield f"aten.{name}.default", (x, [2, 3]), {}
    for name in ("max", "min"):
        yield f"aten.{name}.dim", (x, 1), {}


def list_large_ones(layout):
    x, gradient = layout(draw_fixed(8, 16, 65, 65)), layout(draw_fixed(8, 16, 65, 65, seed=1))
    weight, bias, mean = (draw_fixed(16, seed=seed) for seed in (2, 3, 4))
    settings = (weight, bias, None, None, True, 0.1, 1e-5)
    yield "aten.native_batch_norm.default", (x, *settings), {}
    moments = (None, None, mean, weight.abs())
    backward = (gradient, x, weight, *moments, True, 1e-5, ALL)
    yield "aten.native_batch_norm_backward.default", backward, {}


def list_batch_normalisations(layout):
    for shape in ((5, 6, 9, 7), (9, 4)):
        x, gradient = layout(draw_fixed(*shape)), layout(draw_fixed(*shape, seed=1))
        weight, bias, mean = (draw_fixed(shape[1], seed=seed) for seed in (2, 3, 4))
        variance = weight * weight + 0.5
        inverse = draw_fixed(shape[1], seed=5).abs() + 0.125
        for training in (True, False):
            settings = (weight, bias, mean, variance, training, 0.1, 1e-5)
            for name in ("native_batch_norm", "_native_batch_norm_legit"):
                yield f"aten.{name}.default", (x, *settings), {}
            yield "aten._native_batch_norm_legit_functional.default", (x, *settings), {}
            backward = (gradient, x, weight, mean, variance, mean, inverse, training, 1e-5, ALL)
            yield "aten.native_batch_norm_backward.default", backward, {}
            reserve = torch.empty(0, dtype=torch.uint8)
            yield "aten.batch_norm_backward.default", (*backward, reserve), {}
        yield "aten._native_batch_norm_legit.no_stats", (x, None, None, True, 0.1, 1e-5), {}
        settings = (weight, bias, mean, variance, 0.1, 1e-5)
        for name in (
            "_native_batch_norm_legit_no_training",
            "_batch_norm_with_update",
            "_batch_norm_with_update_functional",
            "_batch_norm_no_update",
        ):
            yield f"aten.{name}.default", (x, *settings), {}


def list_sample_normalisations(layout):
    x, gradient = layout(draw_fixed(4, 6, 9, 7)), layout(draw_fixed(4, 6, 9, 7, seed=1))
    weight, bias = draw_fixed(9, 7, seed=2), draw_fixed(9, 7, seed=3)
    moments = draw_fixed(4, 6, 1, 1, seed=4), draw_fixed(4, 6, 1, 1, seed=5).abs()
    yield "aten.native_layer_norm.default", (x, [9, 7], weight, bias, 1e-5), {}
    backward = (gradient, x, [9, 7], *moments, weight, bias, ALL)
    yield "aten.native_layer_norm_backward.default", backward, {}
    weight, bias = draw_fixed(6, seed=2), draw_fixed(6, seed=3)
    moments = draw_fixed(4, 2, seed=4), draw_fixed(4, 2, seed=5).abs()
    yield "aten.native_group_norm.default", (x, weight, bias, 4, 6, 63, 2, 1e-5), {}
    backward = (gradient, x, *moments, weight, 4, 6, 63, 2, ALL)
    yield "aten.native_group_norm_backward.default", backward, {}


def list_poolings(layout):
    # Whole numbers tie often: which of them is kept is part of the bits.
    x = layout(draw_fixed(5, 6, 17, 14))
    whole = x.round()
    windows = ([3, 2], [2, 1], [1, 1])
    maxima, places = torch.ops.aten.max_pool2d_with_indices(whole, *windows)
    gradient = layout(draw_fixed(*maxima.shape, seed=1))
    yield "aten.max_pool2d_with_indices.default", (whole, *windows), {}
    backward = (gradient, whole, *windows, [1, 1], False, places)
    yield "aten.max_pool2d_with_indices_backward.default", backward, {}
    for padded in (True, False):
        yield "aten.avg_pool2d.default", (x, *windows, False, padded), {}
        backward = (gradient, x, *windows, False, padded, None)
        yield "aten.avg_pool2d_backward.default", backward, {}
    yield "aten._adaptive_avg_pool2d.default", (x, [3, 5]), {}
    gradient = layout(draw_fixed(5, 6, 3, 5, seed=1))
    yield "aten._adaptive_avg_pool2d_backward.default", (gradient, x), {}


def list_cases(layout, *, large=True):
    """Yield name, arguments and options of calls of every operation.

    Args:
        layout: Lays out a picture.
        large: Add some that take several blocks.
    """
    if large:
        yield from list_large_ones(layout)
    yield from list_reductions()
    yield from list_batch_normalisations(layout)
    yield from list_sample_normalisations(layout)
    yield from list_poolings(layout)


def flatten(result):
    if isinstance(result, torch.Tensor):
        return [result]
    return [tensor for part in result or () for tensor in flatten(part)]


def copy(value):
    return value.clone() if isinstance(value, torch.Tensor) else value


def digest_cases(find_operation, layout=torch.Tensor.contiguous, *, large=True):
    """Return a SHA-256 over all that operations return and change.

    Args:
        find_operation: From a name to a function.
        layout: Lays out a picture; never changes its values.
        large: As for `list_cases`.
    """
    digest = hashlib.sha256()
    for name, arguments, options in list_cases(layout, large=large):
        # Running averages are changed in place: each call has its own.
        given = [copy(argument) for argument in arguments]
        result = find_operation(name)(*given, **options)
        changed = [value for value in given if isinstance(value, torch.Tensor)]
        for tensor in [*flatten(result), *changed]:
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    print(digest_cases(REPLACED.__getitem__), digest_cases(find_native))  # noqa: T201 - its purpose
