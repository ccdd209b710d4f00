"""GPUs as a torch with devices would tell of them; there is none on most machines of tests."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from types import SimpleNamespace

import pytest

from cxr.environment import gpu
from cxr.environment.facts import NOT_READ
from cxr.environment.gpu import capture_gpu
from cxr.environment.gpu_driver import DriverDevice

TOLD = [
    DriverDevice(bus=(0, 0x18, 0), driver="550.54.15", ecc=False, mig=None),
    DriverDevice(bus=(0, 0x3B, 0), driver="550.54.15", ecc=True, mig=False),
]
UNKNOWN = {"memory_bytes": 1000, "ecc": None, "mig": None}


def device(**changes):
    facts = {
        "name": "NVIDIA H200",
        "major": 9,
        "minor": 0,
        "multi_processor_count": 132,
        "total_memory": 1000,
        "pci_domain_id": 0,
        "pci_bus_id": 0x3B,
        "pci_device_id": 0,
        "uuid": "planted-uuid",
    }
    kept = {name: value for name, value in {**facts, **changes}.items() if value is not None}
    return SimpleNamespace(**kept)


def without_place(**changes):
    """A device as an older torch describes it."""
    return device(pci_domain_id=None, pci_bus_id=None, pci_device_id=None, **changes)


@pytest.fixture
def plant(monkeypatch):
    """Put a torch with the given devices where torch is, and a driver beside it."""

    def plant(devices, *, told=(), nccl=(2, 30, 7), cuda="13.2", packages=()):
        asked = []

        def version(name):
            if name not in dict(packages):
                raise importlib.metadata.PackageNotFoundError(name)
            return dict(packages)[name]

        torch = SimpleNamespace(
            cuda=SimpleNamespace(
                is_available=lambda: bool(devices),
                device_count=lambda: len(devices),
                get_device_properties=devices.__getitem__,
                nccl=SimpleNamespace(version=lambda: nccl) if nccl else SimpleNamespace(),
            ),
            version=SimpleNamespace(cuda=cuda),
            backends=SimpleNamespace(cudnn=SimpleNamespace(version=lambda: 92600)),
        )
        monkeypatch.setitem(sys.modules, "torch", torch)
        monkeypatch.setattr(gpu, "ask_driver", lambda: asked.append(1) or list(told))
        monkeypatch.setattr(importlib.metadata, "version", version)
        return asked

    return plant


def test_devices_and_versions(plant, tmp_path):
    a100 = device(name="NVIDIA A100", major=8, multi_processor_count=108, pci_bus_id=0x18)
    plant([device(), a100], told=TOLD, packages=[("nvidia-cublas", "13.4.1.3")])
    found = capture_gpu(tmp_path)
    assert found == {
        "devices": [
            {"name": "NVIDIA H200", "capability": "9.0"},
            {"name": "NVIDIA A100", "capability": "8.0"},
        ],
        "multiprocessors": [132, 108],
        "device_settings": [
            {"memory_bytes": 1000, "ecc": True, "mig": False},
            {"memory_bytes": 1000, "ecc": False, "mig": None},
        ],
        "cuda": "13.2",
        "cudnn": 92600,
        "nccl": "2.30.7",
        "cublas": "13.4.1.3",
        "driver": "550.54.15",
    }
    assert "planted" not in json.dumps(found)


def test_a_device_that_the_driver_does_not_tell_of_has_no_settings(plant, tmp_path):
    plant([device(pci_bus_id=0x99)], told=TOLD)
    assert capture_gpu(tmp_path)["device_settings"] == [UNKNOWN]


def test_without_its_place_a_single_device_is_known_and_one_of_two_is_not(plant, tmp_path):
    plant([without_place()], told=TOLD[1:])
    assert capture_gpu(tmp_path)["device_settings"][0]["ecc"] is True
    plant([without_place()], told=TOLD)
    assert capture_gpu(tmp_path)["device_settings"] == [UNKNOWN]


def test_without_a_driver_to_ask_there_are_no_settings(plant, tmp_path):
    plant([device()])
    found = capture_gpu(tmp_path)
    assert (found["device_settings"], found["driver"]) == ([UNKNOWN], None)


@pytest.mark.parametrize(
    ("cuda", "packages", "version"),
    [
        ("12.8", {"nvidia-cublas-cu12": "12.8.4.1", "nvidia-cublas": "13.0"}, "12.8.4.1"),
        ("13.2", {"nvidia-cublas-cu12": "12.8.4.1", "nvidia-cublas": "13.0"}, "13.0"),
        ("13.2", {}, None),
        (None, {"nvidia-cublas-cu12": "12.8.4.1"}, None),
    ],
)
def test_cublas_is_that_of_torchs_cuda(plant, tmp_path, cuda, packages, version):
    plant([device()], told=TOLD, cuda=cuda, packages=packages.items())
    assert capture_gpu(tmp_path)["cublas"] == version


def test_a_torch_without_nccl_has_no_version_of_it(plant, tmp_path):
    plant([device()], told=TOLD, nccl=None)
    assert capture_gpu(tmp_path)["nccl"] is None
    plant([device()], told=TOLD, nccl=(2, 30, 7, "rc1"))
    assert capture_gpu(tmp_path)["nccl"] == "2.30.7.rc1"


def plant_module(root):
    path = root / "proc/driver/nvidia/version"
    path.parent.mkdir(parents=True)
    path.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.1.2  x\n")


def test_without_devices_versions_of_libraries_that_are_not_used_are_not_told(plant, tmp_path):
    asked = plant([], packages=[("nvidia-cublas", "13.4.1.3")])
    plant_module(tmp_path)
    found = capture_gpu(tmp_path)
    assert (found["devices"], found["device_settings"], found["multiprocessors"]) == ([], [], [])
    assert (found["cudnn"], found["nccl"], found["cublas"]) == (None, None, None)
    assert (found["cuda"], found["driver"]) == ("13.2", "570.1.2")
    assert asked == []


def test_without_torch_only_the_driver_is_known_and_no_program_is_run(plant, tmp_path, monkeypatch):
    asked = plant([device()], told=TOLD)
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setenv("PATH", str(tmp_path))
    found = capture_gpu(tmp_path)
    assert {name for name, value in found.items() if value != NOT_READ} == {"driver"}
    assert found["driver"] is None
    plant_module(tmp_path)
    assert capture_gpu(tmp_path)["driver"] == "570.1.2"
    assert asked == []


def test_where_only_a_program_could_tell_the_driver_was_not_read(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert capture_gpu(tmp_path)["driver"] == NOT_READ
