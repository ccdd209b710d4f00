"""Groups: what must stay together when data is split, which in radiology is the patient."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from cxr.errors import DataError
from cxr.records.data_lock import DataLock


def derive_group(name: str, pattern: str, *, where: str) -> str:
    r"""Return the group that a file belongs to.

    Args:
        name: Name of the file, or in a table its path.
        pattern: A regular expression searched for in the name.
        where: The file, for an error.

    Returns:
        The captured groups joined by ``/``, or the whole match where nothing is captured. So
        ``(person)(\d+)_(bacteria|virus)`` keeps ``person1`` with bacteria apart from ``person1``
        with virus, who is somebody else.

    Raises:
        DataError: The pattern does not match the name.
    """
    match = re.search(pattern, name)
    if match is None or not match.group():
        raise DataError(
            "data.group_pattern does not match a file's name, so its patient is unknown",
            where=where,
            hint="widen data.group_pattern, or move the file out of the data set",
        )
    captured = [part for part in match.groups() if part is not None]
    return "/".join(captured) if captured else match.group()


def describe_group(path: str, group: str) -> str:
    """Name a group; an image by itself is named by its path, and renamed is still by itself."""
    return "no group" if group in (path, PurePosixPath(path).name) else group


def list_other_groups(recorded: DataLock, found: DataLock) -> list[tuple[str, str, str]]:
    """Return path, group in the record and group now of each image that is in another one now."""
    then = {one.path: describe_group(one.path, one.group) for one in recorded.samples}
    return [
        (one.path, then[one.path], now)
        for one in found.samples
        if (now := describe_group(one.path, one.group)) != then.get(one.path, now)
    ]
