"""What computes: torch's build, and the libraries loaded beside it."""

from __future__ import annotations

import sys
from typing import Any, Final

from cxr.digests.canonical import digest_json
from cxr.environment.build_text import find_onednn_version, hide_build_paths, split_build
from cxr.environment.facts import NOT_READ
from cxr.errors import IMPORT_FAULTS

_FACTS: Final = ("build", "build_text", "cpu_capability", "libraries", "onednn", "threads")


def capture_numerics() -> dict[str, Any]:
    """Return what native kernels depend on, ``not_read`` where torch is not imported.

    Without ``threadpoolctl`` the loaded libraries and their threads are not read.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return dict.fromkeys(_FACTS, NOT_READ)
    pools = _find_pools()
    build = split_build(torch.__config__.show())
    return {
        "build": digest_json(build),
        "build_text": hide_build_paths(build),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "libraries": NOT_READ if pools is None else _describe_libraries(pools),
        "onednn": {
            "version": find_onednn_version(build),
            "enabled": bool(torch.backends.mkldnn.enabled),
        },
        "threads": NOT_READ if pools is None else _count_threads(pools),
    }


def _find_pools() -> list[dict[str, Any]] | None:
    """Return the libraries that have pools of threads, None where they cannot be asked for."""
    try:
        import threadpoolctl
    except IMPORT_FAULTS:
        return None
    pools: list[dict[str, Any]] = threadpoolctl.threadpool_info()
    return pools


def _describe_libraries(pools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what tells one BLAS or OpenMP library from another, but not where it lies."""
    names = ("internal_api", "prefix", "version", "architecture", "threading_layer")
    return sorted(({name: pool.get(name) for name in names} for pool in pools), key=str)


def _count_threads(pools: list[dict[str, Any]]) -> dict[str, int]:
    """Return the threads of each library; of those with one name, the most."""
    threads: dict[str, int] = {}
    for pool in pools:
        name = str(pool["prefix"])
        threads[name] = max(threads.get(name, 0), int(pool["num_threads"]))
    return dict(sorted(threads.items()))
