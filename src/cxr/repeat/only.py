"""Moving one stream of a recipe from run to run, or all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from cxr.config.acting import acts
from cxr.config.schema import RunConfig, StreamName
from cxr.errors import UsageError

SPLIT: Final = "split"
"""Its root is ``data.split_seed``, which a seed never moves."""

MOVABLE: Final[tuple[str, ...]] = (*get_args(StreamName), SPLIT)
"""What ``--only`` may name."""


def move_seed(config: RunConfig, seed: int, only: str | None) -> RunConfig:
    """Return a recipe under another seed: that of all its streams, or of one.

    Args:
        config: The recipe.
        seed: The new root.
        only: One of `MOVABLE`; None: the seed itself, under which the split stays.
    """
    if only is None:
        return config.model_copy(update={"seed": seed})
    if only == SPLIT:
        return config.model_copy(update={"data": _update(config.data, {"split_seed": seed})})
    return config.model_copy(update={"streams": _update(config.streams, {only: seed})})


def require_movable(config: RunConfig, only: str | None) -> None:
    """Refuse to move a stream from which a recipe draws nothing.

    Args:
        config: The recipe.
        only: What ``--only`` names, if it is given.

    Raises:
        UsageError: No stream has this name, or nothing is drawn from it.
    """
    if only is None:
        return
    if only not in MOVABLE:
        raise UsageError(
            f"no stream is called {only[:40]!r}",
            where="--only",
            hint=f"name one of {', '.join(MOVABLE)}",
        )
    problem = _find_obstacle(config, only)
    if problem is not None:
        raise UsageError(
            f"nothing in this recipe depends on that stream: {problem}",
            where=f"--only {only}",
            hint="move another stream, or change the recipe",
        )


def _find_obstacle(config: RunConfig, only: str) -> str | None:
    """Return why moving a stream would move nothing; None where it may."""
    # Whether a model draws within a step is known to the model alone, so `step` is never refused.
    if only == SPLIT:
        if not acts("data.split_seed", config):
            return "its splits are given (data.validation_fraction and data.test_fraction are 0)"
        if config.data.lock is not None:
            return "its split is that of data.lock"
    if only == "augment" and not acts("streams.augment", config):
        return "it augments nothing (train.augment)"
    return None


def _update(section: Any, fields: Mapping[str, int]) -> Any:
    return section.model_copy(update=dict(fields))
