"""Holding out validation from training, by group and by hash."""

from __future__ import annotations

from cxr.determinism.streams import derive_stream


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
