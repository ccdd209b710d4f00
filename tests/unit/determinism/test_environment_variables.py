from __future__ import annotations

import os
import sys

import pytest

from cxr.determinism import environment
from cxr.determinism.environment import (
    FIXED_VARIABLES,
    LEFT_AS_FOUND,
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
    for name in (*FIXED_VARIABLES, *THREAD_VARIABLES, *LEFT_AS_FOUND):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return os.environ


@pytest.fixture
def executed(monkeypatch):
    """What `os.execve` was called with."""
    calls = []

    def execve(program, arguments, given):
        calls.append((program, arguments, given))
        raise Reexecuted

    monkeypatch.setattr(environment.os, "execve", execve)
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
    assert LEFT_AS_FOUND == ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR")


@pytest.mark.parametrize("name", FIXED_VARIABLES)
def test_an_interpreter_with_one_variable_missing_or_wrong_is_not_prepared(name):
    assert interpreter_is_prepared(FIXED_VARIABLES)
    assert not interpreter_is_prepared({**FIXED_VARIABLES, name: "something else"})
    assert not interpreter_is_prepared({k: v for k, v in FIXED_VARIABLES.items() if k != name})


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


def test_variables_that_choose_instruction_sets_are_read_and_left(variables):
    variables["ATEN_CPU_CAPABILITY"] = "avx2"
    set_variables(threads=1)
    found = read_variables()
    assert found["ATEN_CPU_CAPABILITY"] == "avx2"
    assert found["ONEDNN_MAX_CPU_ISA"] is None
    assert "ONEDNN_MAX_CPU_ISA" not in variables


def test_only_known_variables_are_read(variables):
    variables["SOMEBODYS_OWN"] = "planted"
    known = {*FIXED_VARIABLES, *THREAD_VARIABLES, *LEFT_AS_FOUND}
    assert read_variables().keys() == known
