"""Capturing the environment of this process.

Nothing here imports torch: what torch alone knows is ``not_read`` until a process that computes
has imported it. No host name, user name, home path or variable outside a short list is read.
"""

from __future__ import annotations

import locale
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any, Final

from cxr.determinism.environment import read_variables
from cxr.digests.canonical import digest_json
from cxr.records.canaries import find_changed_canaries, read_canaries
from cxr.records.code import capture_code
from cxr.records.facts import SCHEMA, Capture

NOT_READ: Final = "not_read"

_INSTRUCTION_SETS: Final = frozenset(
    {"sse4_1", "sse4_2", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl"}
    | {"avx512_vnni", "avx_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"}
    | {"asimd", "asimddp", "asimdhp", "bf16", "i8mm", "sve", "sve2"}
)
"""Feature flags for which numerical libraries have code of their own, on x86-64 and aarch64."""


def capture_environment() -> Capture:
    """Read the environment of this process.

    Returns:
        ``schema``, and the groups ``python``, ``os``, ``cpu``, ``gpu``, ``numerics``,
        ``variables``, ``packages``, ``code`` and ``images``.
    """
    return {
        "schema": SCHEMA,
        "python": _capture_python(),
        "os": _capture_os(),
        "cpu": _capture_cpu(),
        "gpu": _capture_gpu(),
        "numerics": _capture_numerics(),
        "variables": read_variables(),
        "packages": _capture_packages(),
        "code": capture_code(),
        "images": _capture_images(),
    }


def _capture_python() -> dict[str, Any]:
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "build": " ".join(platform.python_build()),
        "compiler": platform.python_compiler(),
        "hash_randomization": bool(sys.flags.hash_randomization),
    }


def _capture_os() -> dict[str, Any]:
    return {
        "system": platform.system(),
        "release": platform.release(),
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "container": _find_container(),
        "ci": os.environ.get("CI") == "true",
        "locale": ".".join(part for part in locale.getlocale() if part) or None,
        "time_zone": time.tzname[0],
    }


def _find_container() -> str | None:
    """Name the kind of container that this process runs in, where its marks are seen."""
    marks = {"/.dockerenv": "docker", "/run/.containerenv": "podman"}
    return next((kind for mark, kind in marks.items() if Path(mark).exists()), None)


def _capture_cpu() -> dict[str, Any]:
    model, flags = _read_cpuinfo()
    available = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    return {
        "machine": platform.machine(),
        "model": model or platform.processor() or None,
        "instruction_sets": sorted(_INSTRUCTION_SETS & flags),
        "cores": os.cpu_count(),
        "cores_available": len(available) if available is not None else os.cpu_count(),
        "memory_bytes": _read_memory_bytes(),
    }


def _read_cpuinfo() -> tuple[str | None, frozenset[str]]:
    """Return the processor's model and feature flags from Linux, where there is one."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None, frozenset()
    fields: dict[str, str] = {}
    for line in text.splitlines():
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


def _capture_gpu() -> dict[str, Any]:
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return {"devices": NOT_READ, "cuda": NOT_READ, "cudnn": NOT_READ}
    devices = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            found = torch.cuda.get_device_properties(index)
            capability = f"{found.major}.{found.minor}"
            devices.append({"name": found.name, "capability": capability})
    cudnn = torch.backends.cudnn.version() if devices else None
    return {"devices": devices, "cuda": torch.version.cuda, "cudnn": cudnn}


def _capture_numerics() -> dict[str, Any]:
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return dict.fromkeys(("build", "cpu_capability", "libraries"), NOT_READ)
    import threadpoolctl

    libraries = sorted(
        (
            {
                key: library.get(key)
                for key in ("internal_api", "prefix", "version", "architecture", "threading_layer")
            }
            for library in threadpoolctl.threadpool_info()
        ),
        key=str,
    )
    return {
        # Without the line that tells what this process uses of the build.
        "build": digest_json(
            [line for line in torch.__config__.show().splitlines() if "CPU capability" not in line]
        ),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "libraries": libraries,
    }


def _capture_packages() -> dict[str, str]:
    """Return the version of every installed distribution, by normalised name."""
    import importlib.metadata

    found: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        # An uninstall may leave a directory without metadata behind.
        metadata: Any = distribution.metadata
        name = metadata.get("Name") if metadata is not None else None
        if name:
            # The first one found is the one that Python imports.
            normalised = name.lower().replace("_", "-").replace(".", "-")
            found.setdefault(normalised, distribution.version)
    return dict(sorted(found.items()))


def _capture_images() -> dict[str, Any]:
    from PIL import features

    canaries = read_canaries()
    names = ("pil", "libjpeg_turbo", "jpg", "zlib", "zlib_ng")
    return {
        "decoders": {name: features.version(name) for name in names},
        "canaries": canaries,
        "canaries_changed": find_changed_canaries(canaries),
    }
