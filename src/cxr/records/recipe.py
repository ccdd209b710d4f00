"""The recipe: digests of everything that goes into a run and may change its bits."""

from __future__ import annotations

from typing import Any

from cxr.config.fields import digest_config
from cxr.config.schema import RunConfig
from cxr.determinism.levels import Level
from cxr.determinism.portable.version import ARITHMETIC_VERSION
from cxr.digests.canonical import digest_json
from cxr.environment.code import digest_code
from cxr.records.data_lock import DataLock

Recipe = dict[str, Any]


def derive_recipe(config: RunConfig, lock: DataLock, weights_in: str | None) -> Recipe:
    """Return the digests of config, data, code and given weights, with seed and level.

    Only at ``portable`` the arithmetic is part of it: otherwise the machine's own computes.
    """
    portable = config.determinism is Level.PORTABLE
    return {
        "config_digest": digest_config(config),
        "data_digest": lock.digest,
        "code_digest": digest_code(),
        "weights_in": weights_in,
        "seed": config.seed,
        "determinism": str(config.determinism),
        **({"arithmetic": ARITHMETIC_VERSION} if portable else {}),
    }


def digest_recipe(recipe: Recipe) -> str:
    """Return the digest of a recipe."""
    return digest_json(recipe)
