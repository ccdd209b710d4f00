"""The processor: what it can do, and how much of it this process may use."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any, Final

from cxr.environment.control_groups import read_cpu_quota, read_memory_limit_bytes
from cxr.environment.system_files import ROOT, read_system_file

_INSTRUCTION_SETS: Final = frozenset(
    {"sse4_1", "sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl"}
    | {"avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"}
    | {"asimd", "asimddp", "asimdhp", "bf16", "i8mm", "sve", "sve2"}
)
"""Feature flags for which numerical libraries have code of their own, on x86-64 and aarch64."""


def count_cores() -> int | None:
    """Return how many cores this process may use, None where nobody knows."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def exceeds_cores(num_threads: int) -> bool:
    """Say whether so many threads are known to be more than the cores of this process."""
    cores = count_cores()
    return cores is not None and num_threads > cores


def capture_cpu(root: Path = ROOT) -> dict[str, Any]:
    """Return model, instruction sets, cores and memory: what is there, and this process's share.

    Args:
        root: Where the file system begins.
    """
    model, flags = _read_cpuinfo(root)
    return {
        "machine": platform.machine(),
        "model": model or platform.processor() or None,
        "instruction_sets": sorted(_INSTRUCTION_SETS & flags),
        "cores": os.cpu_count(),
        "cores_available": count_cores(),
        "cores_quota": read_cpu_quota(root),
        "memory_bytes": _read_memory_bytes(),
        "memory_limit_bytes": read_memory_limit_bytes(root),
    }


def _read_cpuinfo(root: Path) -> tuple[str | None, frozenset[str]]:
    """Return the processor's model and feature flags from Linux, where there is one."""
    fields: dict[str, str] = {}
    for line in read_system_file(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = fields.get("flags") or fields.get("Features") or ""
    return fields.get("model name"), frozenset(flags.split())


def _read_memory_bytes() -> int | None:
    """Return the machine's memory in bytes, where the system tells."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
