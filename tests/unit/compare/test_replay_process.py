"""The variables that a step is replayed with: those that had chosen kernels, and no others."""

from __future__ import annotations

from cxr.compare.replay_process import derive_variables, read_choices


def test_how_threads_wait_is_no_choice_of_kernels(monkeypatch):
    controls = {"MKL_CBWR": "AVX2", "OMP_WAIT_POLICY": "PASSIVE", "deterministic": True}
    choices = read_choices({"controls": controls})
    assert choices == {"MKL_CBWR": "AVX2"}
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    monkeypatch.setenv("DNNL_DEFAULT_FPMATH_MODE", "BF16")
    variables = derive_variables(choices)
    assert (variables["MKL_CBWR"], variables["OMP_WAIT_POLICY"]) == ("AVX2", "ACTIVE")
    assert "DNNL_DEFAULT_FPMATH_MODE" not in variables
