"""Telling another key of the pseudonyms from other images: all have their bytes, none its name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from cxr.config.data_section import DataConfig
from cxr.data.sources.pseudonyms import is_pseudonym
from cxr.errors import DataError
from cxr.records.data_lock import Sample
from cxr.records.set_lock import LockedImage


def is_other_key(
    config: DataConfig, recorded: Sequence[Sample | LockedImage], found: Sequence[Sample]
) -> bool:
    """Say whether samples have other names because the key of their pseudonyms is another one.

    Patients that are called the same tell of the same key: then the files were moved. Where each
    image is by itself, and all were moved, nothing tells one from the other.

    Args:
        config: The data section, which may name a key.
        recorded: The samples as a lock has them.
        found: The samples as they are here.
    """
    if config.pseudonym_key is None or not recorded:
        return False
    if not all(is_pseudonym(one.path) for one in recorded):
        return False
    if Counter(one.sha256 for one in recorded) != Counter(one.sha256 for one in found):
        return False
    then, now = (
        {name for one in samples for name in (one.path, one.group)} for samples in (recorded, found)
    )
    return then.isdisjoint(now)


def require_same_key(
    config: DataConfig, recorded: Sequence[Sample | LockedImage], found: Sequence[Sample]
) -> None:
    """Refuse another key than that of a lock; see `is_other_key`.

    Raises:
        DataError: It is another one.
    """
    if is_other_key(config, recorded, found):
        raise DataError(
            "the key of the pseudonyms is another one: each image has its bytes, none its name",
            where=str(config.pseudonym_key),
            hint="restore the key in this file; or, if all images were moved, their places",
        )
