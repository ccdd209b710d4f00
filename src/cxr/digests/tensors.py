"""Digests of tensors: of their bits, in index order, wherever they live and however they lie.

Two algorithms: SHA-256 for what is kept (weights), XXH3 for what is taken at every step (ledger).
Both see order, sign of zero and NaN payloads, and neither depends on device, strides or file
layout. This is the one module of its package that needs torch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray

from cxr.digests.canonical import PREFIX, canonical_json

STEP_ALGORITHM: Final = "xxh3-128"
"""Algorithm of the ledger's digests, as its header names it."""

TENSOR_DIGEST_BYTES: Final = 16


def tensor_bytes(tensor: torch.Tensor) -> NDArray[np.uint8]:
    """Return the little-endian bytes of ``tensor`` in index order: shape (num_bytes,), uint8.

    A contiguous tensor on the CPU is not copied.
    """
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    # All machines that torch is built for are little-endian.
    return flat.view(torch.uint8).numpy()


def describe_tensor(tensor: torch.Tensor) -> tuple[str, list[int]]:
    """Return the dtype's name (``float32``) and the shape."""
    return str(tensor.dtype).removeprefix("torch."), list(tensor.shape)


def digest_weights(tensors: Mapping[str, torch.Tensor]) -> str:
    """Return ``sha256:<hex>`` of named tensors, whatever order they are held in.

    Returns:
        SHA-256 over, in name order, canonical JSON ``[name, dtype, shape]``, a line feed, and the
        little-endian bytes of each tensor.
    """
    state = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        dtype, shape = describe_tensor(tensor)
        state.update(canonical_json([name, dtype, shape]) + b"\n")
        state.update(memoryview(tensor_bytes(tensor)))
    return PREFIX + state.hexdigest()


def digest_value(value: Any) -> bytes:
    """Return the 16-byte step digest of a tensor, an array, or a value that JSON can hold."""
    if isinstance(value, torch.Tensor):
        return xxhash.xxh3_128_digest(memoryview(tensor_bytes(value)))
    if isinstance(value, np.ndarray):
        return xxhash.xxh3_128_digest(memoryview(np.ascontiguousarray(value)).cast("B"))
    return xxhash.xxh3_128_digest(canonical_json(value))
