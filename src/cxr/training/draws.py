"""What a shard draws: at the level ``portable`` from streams of its own, else from torch's."""

from __future__ import annotations

import contextlib

from cxr.config.schema import RunConfig
from cxr.determinism.levels import Level


def shard_draws(
    config: RunConfig, step: int, shard: int
) -> contextlib.AbstractContextManager[None]:
    """Return the context of a logical shard's forward and backward pass.

    At the level ``portable`` its draws, as of dropout, are numbered, so that they depend on neither
    the shards before it nor the process that computes it.

    Args:
        config: The recipe.
        step: Zero-based global step.
        shard: Zero-based number of the shard in the batch.
    """
    if config.determinism is not Level.PORTABLE:
        return contextlib.nullcontext()
    from cxr.determinism.portable.random.drawing import drawing

    return drawing(config.find_root("step"), "draw", step, shard)
