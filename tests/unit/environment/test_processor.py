"""The processor is read from files that a test plants, and its absence is no error."""

from __future__ import annotations

import os

from cxr.environment.processor import capture_cpu

X86 = """processor : 0
model name : Planted CPU @ 2.00GHz
flags : fpu sse4_2 avx2 planted_flag fma

processor : 1
model name : Another
flags : avx512f
"""


def plant_cpuinfo(root, text):
    (root / "proc").mkdir(parents=True)
    (root / "proc" / "cpuinfo").write_text(text, encoding="utf-8")


def test_model_and_the_instruction_sets_that_libraries_choose_by(tmp_path):
    plant_cpuinfo(tmp_path, X86)
    found = capture_cpu(tmp_path)
    assert found["model"] == "Planted CPU @ 2.00GHz"
    assert found["instruction_sets"] == ["avx2", "fma", "sse4_2"]


def test_features_of_other_architectures(tmp_path):
    plant_cpuinfo(tmp_path, "processor : 0\nFeatures : fp asimd sve\n")
    assert capture_cpu(tmp_path)["instruction_sets"] == ["asimd", "sve"]


def test_a_container_has_its_share_beside_what_is_present(tmp_path):
    plant_cpuinfo(tmp_path, X86)
    (tmp_path / "proc" / "self").mkdir()
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/\n", encoding="utf-8")
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (group / "cpu.max").write_text("150000 100000\n", encoding="utf-8")
    (group / "memory.max").write_text("1000000\n", encoding="utf-8")
    found = capture_cpu(tmp_path)
    assert found["cores"] == os.cpu_count()
    assert (found["cores_quota"], found["memory_limit_bytes"]) == (1.5, 1_000_000)
    assert found["memory_bytes"] > 1_000_000


def test_the_cores_given_by_affinity_are_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert capture_cpu(tmp_path)["cores_available"] == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert capture_cpu(tmp_path)["cores_available"] == os.cpu_count()


def test_without_proc_nothing_fails(tmp_path):
    found = capture_cpu(tmp_path)
    assert found["instruction_sets"] == []
    assert (found["cores_quota"], found["memory_limit_bytes"]) == (None, None)
    assert found["cores"] == os.cpu_count()
