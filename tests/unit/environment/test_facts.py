from __future__ import annotations

import copy

import pytest

from cxr.determinism.levels import Level
from cxr.environment.facts import (
    digest_environment,
    find_levels,
    flatten_environment,
    select_acting_facts,
)

CAPTURE = {
    "schema": "cxr.environment/3",
    "python": {"version": "3.13.0", "compiler": "gcc"},
    "os": {"system": "Linux", "release": "6.1", "libc": "glibc 2.36", "locale": "C"},
    "cpu": {"machine": "x86_64", "model": "A", "instruction_sets": ["avx2"], "cores": 2},
    "gpu": {
        "devices": [],
        "multiprocessors": [],
        "device_settings": [],
        "cuda": None,
        "cudnn": None,
        "nccl": None,
        "cublas": None,
        "driver": None,
    },
    "numerics": {
        "build": "sha256:1",
        "build_text": [],
        "cpu_capability": "AVX2",
        "libraries": [],
        "onednn": {},
        "threads": {},
    },
    "variables": {"ATEN_CPU_CAPABILITY": None, "OMP_NUM_THREADS": "1"},
    "packages": {
        "torch": "2.9",
        "torchvision": "0.24",
        "numpy": "2.3",
        "pillow": "12",
        "rich": "1",
    },
    "imported": {"timm": "as installed"},
    "code": {"digest": "sha256:2", "dirty": False},
    "arithmetic": {"version": 1},
    "images": {"decoders": {"pil": "12"}, "canaries": {"png": "x"}, "canaries_changed": []},
}

ALWAYS, NATIVE, NEVER = {"warn", "strict", "portable"}, {"warn", "strict"}, set()
PORTABLE = {"portable"}


@pytest.mark.parametrize(
    ("fact", "levels"),
    [
        ("images.canaries", ALWAYS),
        ("arithmetic.version", PORTABLE),
        ("cpu.model", NATIVE),
        ("cpu.instruction_sets", NATIVE),
        ("cpu.machine", NATIVE),
        ("gpu.devices", NATIVE),
        ("gpu.cuda", NATIVE),
        ("gpu.cudnn", NATIVE),
        ("gpu.nccl", NATIVE),
        ("gpu.cublas", NATIVE),
        ("gpu.driver", NATIVE),
        ("gpu.multiprocessors", NATIVE),
        ("gpu.device_settings", NEVER),
        ("numerics.build", NATIVE),
        ("numerics.cpu_capability", NATIVE),
        ("numerics.libraries", NATIVE),
        ("numerics.build_text", NEVER),
        ("numerics.onednn", NEVER),
        ("numerics.threads", NEVER),
        ("os.system", NATIVE),
        ("os.libc", NATIVE),
        ("python.version", NATIVE),
        ("packages.torch", NATIVE),
        ("packages.torchvision", NATIVE),
        ("packages.numpy", NATIVE),
        ("variables.ATEN_CPU_CAPABILITY", NATIVE),
        ("imported.timm", NATIVE),
        ("packages.pillow", NEVER),
        ("packages.rich", NEVER),
        ("packages.torchmetrics", NEVER),
        ("images.decoders", NEVER),
        ("images.canaries_changed", NEVER),
        ("cpu.cores", NEVER),
        ("cpu.cores_available", NEVER),
        ("cpu.cores_quota", NEVER),
        ("cpu.memory_bytes", NEVER),
        ("cpu.memory_limit_bytes", NEVER),
        ("os.release", NEVER),
        ("os.container", NEVER),
        ("os.container_image", NEVER),
        ("os.locale", NEVER),
        ("os.time_zone", NEVER),
        ("python.compiler", NEVER),
        ("variables.OMP_NUM_THREADS", NEVER),
    ],
)
def test_a_fact_changes_the_digest_at_its_levels_and_no_other(fact, levels):
    assert {str(level) for level in find_levels(fact)} == levels
    changed = copy.deepcopy(CAPTURE)
    group, _, name = fact.partition(".")
    changed[group][name] = "another value"
    for level in Level:
        differs = digest_environment(changed, level) != digest_environment(CAPTURE, level)
        assert differs is (level in levels)


def test_at_portable_only_the_decoders_pixels_and_the_arithmetic_count():
    assert select_acting_facts(CAPTURE, Level.PORTABLE) == {
        "arithmetic.version": 1,
        "images.canaries": {"png": "x"},
    }


def test_facts_are_flat_and_the_code_has_a_digest_of_its_own():
    flat = flatten_environment(CAPTURE)
    assert flat["packages.torch"] == "2.9"
    assert flat["images.decoders"] == {"pil": "12"}
    assert not any(name.startswith(("code", "schema")) for name in flat)
