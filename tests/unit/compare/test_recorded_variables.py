"""The variables that a run is run again with: those that had chosen kernels, and no others."""

from __future__ import annotations

from cxr.compare.recorded_variables import (
    derive_variables,
    read_choices,
    read_choices_here,
    read_withheld,
)
from cxr.determinism.variables import NOT_RECORDED


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
    here = read_choices_here()
    assert (here["MKL_CBWR"], here["DNNL_DEFAULT_FPMATH_MODE"]) == ("COMPATIBLE", "BF16")
    assert "OMP_WAIT_POLICY" not in here


def test_what_is_set_to_what_nobody_knows_stays_as_it_is_here(monkeypatch):
    manifest = {"controls": {"LD_PRELOAD": NOT_RECORDED, "MKL_CBWR": "AVX2"}}
    assert read_choices(manifest) == {"MKL_CBWR": "AVX2"}
    assert read_withheld(manifest) == {"LD_PRELOAD"}
    monkeypatch.setenv("LD_PRELOAD", "")
    assert "LD_PRELOAD" in derive_variables({}, read_withheld(manifest))
    assert "LD_PRELOAD" not in derive_variables({})
