"""Digests of tensors: of their bits, in index order, wherever they live and however they lie.

Two algorithms: SHA-256 for what is kept (weights), XXH3 for what is taken at every step (ledger).
Both see order, sign of zero and NaN payloads, and neither depends on device, strides or file
layout. This is the one module of its package that needs torch.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray

from cxr.digests.canonical import PREFIX, canonical_json

_MAX_THREADS: Final = 4  # more than this and memory, not the processor, is what is waited for
_SMALL_BYTES: Final = 1 << 20


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
        return xxhash.xxh3_128_digest(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
    return xxhash.xxh3_128_digest(canonical_json(value))


def digest_tensors(tensors: Mapping[str, torch.Tensor]) -> dict[str, bytes]:
    """Return the 16-byte step digest of each tensor, in the order of ``tensors``.

    Large sets are shared out to a few threads by size: the hash function lets go of the
    interpreter. Who computes a digest does not change it.
    """
    sizes = {name: tensor.nbytes for name, tensor in tensors.items()}
    if sum(sizes.values()) < _SMALL_BYTES:
        return {name: digest_value(tensor) for name, tensor in tensors.items()}
    num_threads = min(_MAX_THREADS, os.cpu_count() or 1)
    shares: list[list[str]] = [[] for _ in range(num_threads)]
    loads = [0] * num_threads
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        lightest = loads.index(min(loads))
        shares[lightest].append(name)
        loads[lightest] += sizes[name]

    def digest_share(names: Sequence[str]) -> dict[str, bytes]:
        return {name: digest_value(tensors[name]) for name in names}

    found: dict[str, bytes] = {}
    for digests in _digest_pool().map(digest_share, shares):
        found |= digests
    return {name: found[name] for name in tensors}


@functools.cache
def _digest_pool() -> ThreadPoolExecutor:
    """Return the threads that digest tensors; they live as long as the process."""
    return ThreadPoolExecutor(_MAX_THREADS, thread_name_prefix="cxr-digests")
