"""Graphics processors and the CUDA libraries, as torch sees them."""

from __future__ import annotations

import sys
from typing import Any

from cxr.environment.facts import NOT_READ


def capture_gpu() -> dict[str, Any]:
    """Return devices and versions, ``not_read`` where torch is not imported."""
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
