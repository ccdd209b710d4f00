"""What a model raises while it computes, as an error that says where and what to do."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Final

from cxr.determinism.arithmetic import name_nondeterministic_op
from cxr.errors import TrainingError

_HINTS: Final = (
    # Source: torch's messages in c10/core and torch/nn/functional.py, _verify_batch_size.
    (
        re.compile("out of memory|can't allocate memory"),
        "use smaller batches, or more train.shards",
    ),
    (
        re.compile("more than 1 value per channel"),
        "give each shard two samples or more: lower train.shards, or raise train.batch_size",
    ),
)
_HINT: Final = "choose another data.image_size, batch size or model"


@contextlib.contextmanager
def explained_failures(where: str) -> Iterator[None]:
    """Turn what a model raises in the block into an error of cxr's.

    Args:
        where: What is being computed, as ``step 12, epoch 0, a shard of 8``.

    Raises:
        TrainingError: The model cannot compute it. An op without a deterministic kernel is left
            to `arithmetic`, which has an error of its own for it.
    """
    try:
        yield
    except (AssertionError, RuntimeError, ValueError) as error:
        said = " ".join(str(error).split())
        if name_nondeterministic_op(str(error)) is not None:
            raise
        hint = next((hint for pattern, hint in _HINTS if pattern.search(said)), _HINT)
        raise TrainingError(
            f"the model cannot compute this: {said[:200] or type(error).__name__}",
            where=where,
            hint=hint,
        ) from error
