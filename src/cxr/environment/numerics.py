"""What computes: torch's build, and the libraries loaded beside it."""

from __future__ import annotations

import sys
from typing import Any

from cxr.digests.canonical import digest_json
from cxr.environment.facts import NOT_READ


def capture_numerics() -> dict[str, Any]:
    """Return what native kernels depend on, ``not_read`` where torch is not imported."""
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
