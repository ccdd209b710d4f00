"""The tensors of a batch of any shape, by name: mappings, sequences, and what lies in them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from cxr.digests.canonical import canonical_json
from cxr.digests.tensors import digest_value


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BatchDigests:
    """What is known of a batch.

    Attributes:
        digests: 16-byte digest of each tensor, array, number and text, by dotted name.
        size: Samples in it: the length of the first tensor or array; None where it has none.
        unknown: Class names of what no digest was taken of.
    """

    digests: dict[str, bytes]
    size: int | None
    unknown: tuple[str, ...]


def digest_batch(batch: Any) -> BatchDigests:
    """Digest a batch as it lies there.

    Args:
        batch: A tensor, an array, a number, a text, or mappings, sequences and dataclasses of them.
            A tensor alone is called ``batch``.
    """
    digests: dict[str, bytes] = {}
    unknown: list[str] = []
    size: int | None = None
    for name, leaf in _walk(batch, ""):
        if isinstance(leaf, (torch.Tensor, np.ndarray)):
            digests[name or "batch"] = digest_value(leaf)
            if size is None and leaf.ndim:
                size = len(leaf)
        elif _is_plain(leaf):
            digests[name or "batch"] = digest_value(leaf)
        else:
            unknown.append(type(leaf).__name__)
    return BatchDigests(digests=digests, size=size, unknown=tuple(unknown))


def _walk(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield (dotted name, leaf) in the order in which they are held."""
    if isinstance(value, Mapping):
        parts = list(value.items())
    elif isinstance(value, (list, tuple)):
        parts = list(enumerate(value))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    else:
        yield name, value
        return
    for key, item in parts:
        yield from _walk(item, f"{name}.{key}" if name else str(key))


def _is_plain(value: Any) -> bool:
    """Say whether JSON can hold a value exactly."""
    try:
        canonical_json(value)
    except (TypeError, ValueError):
        return False
    return True
