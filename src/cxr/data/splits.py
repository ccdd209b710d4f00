"""Which split a sample belongs to: the one it came with, or one by the hash of its group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from cxr.determinism.streams import derive_stream

if TYPE_CHECKING:
    from cxr.config.data_section import DataConfig
    from cxr.data.sources.source import FoundImage


def is_held_out(group: str, *, split_seed: int, fraction: float) -> bool:
    """Say whether a training group belongs to validation.

    Decided by the group's own stream, so that a group is never split, and adding or removing
    other images moves no one.

    Args:
        group: The group's key.
        split_seed: ``data.split_seed``.
        fraction: Expected share of groups held out, from 0 to 1.
    """
    return derive_stream(split_seed, "split", group).uniform() < fraction


def assign_splits(found: Sequence[FoundImage], config: DataConfig) -> list[FoundImage]:
    """Give every sample its split.

    A split that a sample came with stays, but for validation: where ``data.validation_fraction``
    is above 0, train and val are pooled and whole groups held out. Samples that came without one
    are split by the place of their group's hash: ``data.test_fraction`` of the groups first, then
    ``data.validation_fraction``, the rest for training.

    Args:
        found: Samples, whose split is empty where they came without one.
        config: The data section.

    Returns:
        The samples, in their order.
    """
    return [replace(image, split=_find_split(image, config)) for image in found]


def _find_split(image: FoundImage, config: DataConfig) -> str:
    if image.split == "test" or (image.split and not config.validation_fraction):
        return image.split
    place = derive_stream(config.split_seed, "split", image.group).uniform()
    for_testing = 0.0 if image.split else config.test_fraction
    if place < for_testing:
        return "test"
    return "val" if place < for_testing + config.validation_fraction else "train"
