from __future__ import annotations

import os
import sys

import pytest

from cxr.determinism import variables as variables_module
from cxr.determinism.numerical_variables import FAMILIES, KNOWN_NAMES
from cxr.determinism.variables import (
    FIXED_VARIABLES,
    HARMLESS_VARIABLES,
    NOT_RECORDED,
    OWN_VARIABLES,
    REMOVED_VARIABLES,
    THREAD_VARIABLES,
    interpreter_is_prepared,
    read_variables,
    reexecute_prepared,
    set_variables,
)


class Reexecuted(Exception):  # noqa: N818 - it is what happened, not a fault
    pass


@pytest.fixture
def variables(monkeypatch):
    """The process's variables: none of those that cxr knows, and restored afterwards."""
    known = read_variables()
    kept = {name: value for name, value in os.environ.items() if name not in known}
    monkeypatch.setattr(os, "environ", dict(kept))
    return os.environ


@pytest.fixture
def executed(monkeypatch):
    """What `os.execve` was called with."""
    calls = []

    def execve(program, arguments, given):
        calls.append((program, arguments, given))
        raise Reexecuted

    monkeypatch.setattr(variables_module.os, "execve", execve)
    return calls


def test_the_fixed_variables_are_those_that_the_promise_needs():
    assert FIXED_VARIABLES == {
        "PYTHONHASHSEED": "0",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        "NVIDIA_TF32_OVERRIDE": "0",
        "ONEDNN_DEFAULT_FPMATH_MODE": "STRICT",
        "MKL_DYNAMIC": "FALSE",
        "OMP_DYNAMIC": "FALSE",
    }


@pytest.mark.parametrize("name", FIXED_VARIABLES)
def test_an_interpreter_with_one_variable_missing_or_wrong_is_not_prepared(name):
    assert interpreter_is_prepared(FIXED_VARIABLES)
    assert not interpreter_is_prepared({**FIXED_VARIABLES, name: "something else"})
    assert not interpreter_is_prepared({k: v for k, v in FIXED_VARIABLES.items() if k != name})


@pytest.mark.parametrize("name", REMOVED_VARIABLES)
def test_a_variable_that_overrules_the_recipe_is_removed(variables, executed, name):
    variables[name] = "1"
    assert not interpreter_is_prepared({**FIXED_VARIABLES, name: "1"})
    with pytest.raises(Reexecuted):
        reexecute_prepared(["python", "-m", "cxr"])
    [(_, _, given)] = executed
    assert name not in given
    set_variables(threads=2)
    assert name not in variables
    assert read_variables()[name] is None


def test_the_process_is_executed_again_with_its_own_arguments(variables, executed):
    variables["KEPT"] = "as it was"
    with pytest.raises(Reexecuted):
        reexecute_prepared(["python", "-X", "dev", "-m", "cxr", "env"])
    [(program, arguments, given)] = executed
    assert program == sys.executable
    assert arguments == ["python", "-X", "dev", "-m", "cxr", "env"]
    assert given == {**variables, **FIXED_VARIABLES}
    assert interpreter_is_prepared(given)


def test_a_prepared_process_goes_on(variables, executed):
    variables.update(FIXED_VARIABLES)
    reexecute_prepared(["python", "-m", "cxr"])
    assert executed == []


def test_threads_of_the_recipe_reach_every_library(variables):
    set_variables(threads=3)
    found = read_variables()
    assert {name: found[name] for name in FIXED_VARIABLES} == FIXED_VARIABLES
    assert {found[name] for name in THREAD_VARIABLES} == {"3"}
    assert variables["OMP_NUM_THREADS"] == "3"


@pytest.mark.parametrize(
    "name",
    [
        "ATEN_CPU_CAPABILITY",
        "DNNL_MAX_CPU_ISA",
        "GLIBC_TUNABLES",
        "MKL_CBWR",
        "MKL_ENABLE_INSTRUCTIONS",
        "NPY_DISABLE_CPU_FEATURES",
        "NPY_ENABLE_CPU_FEATURES",
        "PYTORCH_ALLOC_CONF",
        "ONEDNN_MAX_CPU_ISA",
        "OPENBLAS_CORETYPE",
        "TIMM_FUSED_ATTN",
    ],
)
def test_variables_that_choose_kernels_are_read_and_left(variables, name):
    assert name not in read_variables()
    variables[name] = "chosen:1"
    set_variables(threads=1)
    assert read_variables()[name] == variables[name] == "chosen:1"


@pytest.mark.parametrize("name", ["LD_PRELOAD", "DYLD_INSERT_LIBRARIES"])
def test_of_a_library_that_stands_before_others_only_that_it_is_set_is_told(variables, name):
    assert name not in read_variables()
    variables[name] = "libplanted.so"
    assert read_variables()[name] == NOT_RECORDED
    assert variables[name] == "libplanted.so"


@pytest.mark.parametrize(
    "name", ["MKL_PW", "OPENBLAS_AUTH", "KMP_USER", "OMP_WHO", "CUBLAS_HOST", "DNNL_ME", "BLIS_A"]
)
def test_the_value_of_a_name_that_no_library_reads_is_not_repeated(variables, name):
    variables[name] = "planted"
    assert read_variables()[name] == NOT_RECORDED


def test_every_variable_that_cxr_decides_about_or_calls_harmless_is_known():
    own = {name for name in (*OWN_VARIABLES, *HARMLESS_VARIABLES) if name.startswith(FAMILIES)}
    assert own <= KNOWN_NAMES
    assert all(name.startswith(FAMILIES) for name in KNOWN_NAMES)
    assert not any(variables_module._SECRET_NAME.search(name) for name in KNOWN_NAMES)


def test_no_other_variable_is_read(variables):
    variables["SOMEBODYS_OWN"] = "planted"
    variables["MKL_API_KEY"] = "planted"
    variables["MKL_of_somebody@planted"] = "planted"
    assert read_variables().keys() == set(OWN_VARIABLES)


@pytest.mark.parametrize("value", ["/home/alice/lib", "C:\\Users\\alice", "a" * 201, "alice@host"])
def test_a_value_that_may_hold_a_path_or_a_secret_is_not_repeated(variables, value):
    variables["OMP_TOOL_LIBRARIES"] = value
    assert read_variables()["OMP_TOOL_LIBRARIES"] == NOT_RECORDED
