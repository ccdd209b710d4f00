"""What a lock asks for here, and where the installed packages differ from it."""

from __future__ import annotations

from collections.abc import Mapping

from cxr.environment.lock_file import Lock


def derive_locked(lock: Lock) -> dict[str, str]:
    """Return the version that is locked, by name."""
    return {one["name"]: one["version"] for one in lock.packages if "version" in one}


def compare_lock(lock: Lock, installed: Mapping[str, str]) -> dict[str, dict[str, str | None]]:
    """Return the installed packages whose version is not the locked one."""
    locked = derive_locked(lock)
    return {
        name: {"locked": locked.get(name), "installed": version}
        for name, version in installed.items()
        if name not in ("pip", "setuptools", "wheel", "uv") and locked.get(name) != version
    }
