"""Graphics processors, their driver and the CUDA libraries, as torch and the driver see them."""

from __future__ import annotations

import contextlib
import importlib.metadata
import shutil
import sys
from pathlib import Path
from typing import Any, Final

from cxr.environment.facts import NOT_READ
from cxr.environment.gpu_driver import DriverDevice, ask_driver, read_driver_version
from cxr.environment.system_files import ROOT

_TORCH_FACTS: Final = (
    "devices",
    "multiprocessors",
    "device_settings",
    "cuda",
    "cudnn",
    "nccl",
    "cublas",
)
"""What torch alone knows."""

_CUBLAS: Final = "nvidia-cublas"
"""The package with cuBLAS; before CUDA 13 the release stands in its name."""


def capture_gpu(root: Path = ROOT) -> dict[str, Any]:
    """Return devices and versions, most of them ``not_read`` where torch is not imported.

    Args:
        root: Where the file system begins.
    """
    driver = read_driver_version(root)
    torch: Any = sys.modules.get("torch")
    if torch is None:
        # Without that file, as in a virtual machine of Windows, only a slow program can tell.
        unknown = driver is None and shutil.which("nvidia-smi") is not None
        return {**dict.fromkeys(_TORCH_FACTS, NOT_READ), "driver": NOT_READ if unknown else driver}
    properties = []
    if torch.cuda.is_available():
        count = torch.cuda.device_count()
        properties = [torch.cuda.get_device_properties(index) for index in range(count)]
    told = ask_driver() if properties or driver is None else []
    return {
        "devices": [
            {"name": device.name, "capability": f"{device.major}.{device.minor}"}
            for device in properties
        ],
        "multiprocessors": [device.multi_processor_count for device in properties],
        "device_settings": [_describe_settings(device, properties, told) for device in properties],
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if properties else None,
        "nccl": _read_nccl_version(torch) if properties else None,
        "cublas": _find_cublas_version(torch.version.cuda) if properties else None,
        "driver": driver or next((device.driver for device in told), None),
    }


def _describe_settings(device: Any, devices: list[Any], told: list[DriverDevice]) -> dict[str, Any]:
    """Return a device's memory and, from the driver's entry for it, how it is set.

    The driver tells of every device, torch of those that this process may use, in an order of its
    own: where each is plugged in says which is which.
    """
    names = ("pci_domain_id", "pci_bus_id", "pci_device_id")
    bus = tuple(getattr(device, name, None) for name in names)
    found = [entry for entry in told if entry.bus == bus]
    if not found and None in bus and len(devices) == len(told) == 1:
        # An older torch does not tell where: with one device there is no doubt.
        found = told
    return {
        "memory_bytes": device.total_memory,
        "ecc": found[0].ecc if found else None,
        "mig": found[0].mig if found else None,
    }


def _read_nccl_version(torch: Any) -> str | None:
    """Return the version of the NCCL that torch is linked with, None where it is with none."""
    try:
        return ".".join(str(part) for part in torch.cuda.nccl.version())
    except (AttributeError, ImportError):
        return None


def _find_cublas_version(cuda: str | None) -> str | None:
    """Return the version of cuBLAS's package for a CUDA release; None where it comes otherwise."""
    release = str(cuda).partition(".")[0]
    for name in (f"{_CUBLAS}-cu{release}", _CUBLAS):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(name)
    return None
