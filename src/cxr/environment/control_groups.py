"""Limits of the control groups that this process is in: a container's share of the machine.

Source: the Linux kernel's documentation, "Control Group v2" (``cpu.max``, ``memory.max``), and of
version 1 "CFS Bandwidth Control" (``cpu.cfs_quota_us``) and "Memory Resource Controller".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from cxr.environment.system_files import ROOT, read_system_file

_MOUNT: Final = PurePosixPath("sys/fs/cgroup")
_UNLIMITED_BYTES: Final = 2**62
"""From here on a limit is none. Version 1 has the largest number of whole pages for that."""


def read_cpu_quota(root: Path = ROOT) -> float | None:
    """Return how many processors' worth of time this process may use, or None for no limit.

    A group's limit holds for all groups below it, so the smallest of them counts.

    Args:
        root: Where the file system begins.
    """
    quotas = [
        quota
        for group in _find_groups(root, "cpu")
        for quota in (_read_quota_v2(group), _read_quota_v1(group))
        if quota is not None
    ]
    return min(quotas, default=None)


def read_memory_limit_bytes(root: Path = ROOT) -> int | None:
    """Return how much memory this process may use, in bytes, or None for no limit.

    Args:
        root: Where the file system begins.
    """
    limits = [
        limit
        for group in _find_groups(root, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")
        for limit in _read_numbers(group / name)
        if limit < _UNLIMITED_BYTES
    ]
    return min(limits, default=None)


def _find_groups(root: Path, controller: str) -> Iterator[Path]:
    """Yield the directories of this process's groups, of both versions, each up to the topmost.

    In a container the names may be those outside of it, which do not exist here. What is mounted
    here is then the container's own group: the top of the hierarchy, which is looked at as well.
    """
    for line in read_system_file(root / "proc/self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if number == "0" and not controllers:
            # Beside version 1 the hierarchy of version 2 is mounted in a place of its own.
            mounts = [_MOUNT, _MOUNT / "unified"]
        elif controller in controllers.split(","):
            mounts = [_MOUNT / place for place in dict.fromkeys((controllers, controller))]
        else:
            continue
        # A name that begins with ".." lies outside of what this process may see.
        inside = PurePosixPath(*(part for part in name.split("/") if part not in ("", "..")))
        for mount in mounts:
            yield from (root / mount / above for above in (inside, *inside.parents))


def _read_quota_v2(group: Path) -> float | None:
    """Return what ``cpu.max`` allows: ``quota period``, both in microseconds."""
    match _read_numbers(group / "cpu.max"):
        case [quota, period] if period > 0:
            return quota / period
    return None


def _read_quota_v1(group: Path) -> float | None:
    """Return what the two files of version 1 allow; a quota of -1 is none."""
    match _read_numbers(group / "cpu.cfs_quota_us") + _read_numbers(group / "cpu.cfs_period_us"):
        case [quota, period] if quota > 0 and period > 0:
            return quota / period
    return None


def _read_numbers(path: Path) -> list[int]:
    """Return the numbers in a file; none where it says ``max`` or holds anything else."""
    try:
        return [int(word) for word in read_system_file(path).split()]
    except ValueError:
        return []
