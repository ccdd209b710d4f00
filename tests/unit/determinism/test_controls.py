from __future__ import annotations

import dataclasses
import functools
import os
import sys
from types import SimpleNamespace

import pytest
import torch

from cxr.determinism import controls, float32_precision
from cxr.determinism.controls import (
    ControlPlan,
    derive_wanted,
    find_untaken,
    read_controls,
    set_controls,
    verify_controls,
)
from cxr.determinism.float32_precision import ABSENT, CONTRADICTED, FLOAT32_SWITCHES
from cxr.determinism.levels import Level
from cxr.determinism.variables import (
    FIXED_VARIABLES,
    OWN_VARIABLES,
    REMOVED_VARIABLES,
    read_variables,
)
from cxr.errors import DeterminismError

STRICT = ControlPlan(level=Level.STRICT, threads=1, fill_memory=True)
WARN = dataclasses.replace(STRICT, level=Level.WARN)


@pytest.fixture(autouse=True)
def _keep_switches(monkeypatch):
    """Put every switch back as it was."""
    for name in OWN_VARIABLES:
        monkeypatch.setenv(name, os.environ.get(name, ""))
    for name in REMOVED_VARIABLES:
        monkeypatch.delenv(name)
    before = read_controls()
    warn_always = torch.is_warn_always_enabled()
    yield
    monkeypatch.undo()
    torch.set_num_threads(before["torch.num_threads"])
    torch.use_deterministic_algorithms(
        before["torch.deterministic_algorithms"],
        warn_only=before["torch.deterministic_warn_only"],
    )
    torch.utils.deterministic.fill_uninitialized_memory = before["torch.fill_uninitialized_memory"]
    torch.set_float32_matmul_precision(before["torch.float32_matmul_precision"])
    torch.set_default_dtype(getattr(torch, before["torch.default_dtype"]))
    torch.set_flush_denormal(not before["torch.denormals_kept"])
    torch.set_warn_always(warn_always)
    libraries = {"cudnn": torch.backends.cudnn, "cuda.matmul": torch.backends.cuda.matmul}
    for name, value in before.items():
        library, _, switch = name.rpartition(".")
        if library in libraries and switch != "fp32_precision":
            setattr(libraries[library], switch, value)
    set_each_float32_precision(before)


def set_each_float32_precision(values):
    """Set the newer switches, the widest first, where they are not so already."""
    for name in FLOAT32_SWITCHES:
        path = name.removeprefix("torch.").split(".")[:-1]
        holder = functools.reduce(getattr, path, torch.backends)
        if holder.fp32_precision != values[name]:
            holder.fp32_precision = values[name]


@pytest.fixture
def prepared(monkeypatch):
    """A process as the console entry starts it, where one thread was asked for between ops."""
    for name, value in FIXED_VARIABLES.items():
        monkeypatch.setenv(name, value)
    flags = SimpleNamespace(hash_randomization=0)
    monkeypatch.setattr(controls, "sys", SimpleNamespace(modules=sys.modules, flags=flags))
    monkeypatch.setattr(torch, "get_num_interop_threads", lambda: 1)


def spoil_the_switches():
    """Set every switch of torch to what the recipe does not want."""
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(mode=False)
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.set_float32_matmul_precision("high")
    torch.set_default_dtype(torch.float64)
    torch.set_flush_denormal(True)
    torch.backends.cudnn.deterministic = False
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = True
    matmul = torch.backends.cuda.matmul
    matmul.allow_tf32 = True
    matmul.allow_fp16_reduced_precision_reduction = True
    matmul.allow_bf16_reduced_precision_reduction = True
    set_each_float32_precision(dict.fromkeys(FLOAT32_SWITCHES, "tf32"))


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("plan", [STRICT, WARN, dataclasses.replace(STRICT, fill_memory=False)])
def test_every_switch_is_set_and_read_back(plan):
    spoil_the_switches()
    untaken = find_untaken(plan, read_controls())
    assert len(untaken) > 20
    assert [name for name in FLOAT32_SWITCHES if f"{name} is 'tf32', wanted 'ieee'" in untaken] == [
        *FLOAT32_SWITCHES
    ]
    found = set_controls(plan)
    assert found == read_controls()
    assert find_untaken(plan, found) == []
    assert found["torch.num_threads"] == 1
    assert found["torch.deterministic_warn_only"] is (plan.level is Level.WARN)
    assert found["torch.fill_uninitialized_memory"] is plan.fill_memory


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize(
    ("setter", "switch"),
    [
        ("set_num_threads", "torch.num_threads"),
        ("set_deterministic_debug_mode", "torch.deterministic_algorithms"),
        ("set_default_dtype", "torch.default_dtype"),
        ("set_flush_denormal", "torch.denormals_kept"),
    ],
)
def test_a_switch_that_does_not_take_is_refused_by_name_under_strict(monkeypatch, setter, switch):
    spoil_the_switches()
    monkeypatch.setattr(torch, setter, lambda *_, **__: None)
    monkeypatch.setattr(controls, "set_pool_threads", lambda _: None)
    with pytest.raises(DeterminismError, match="a determinism switch did not take") as caught:
        set_controls(STRICT)
    assert f"{switch} is " in caught.value.problem
    assert set_controls(WARN)[switch] != derive_wanted(WARN)[switch]


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize(
    ("library", "switch"),
    [
        ("cudnn", "deterministic"),
        ("cudnn", "benchmark"),
        ("cudnn", "allow_tf32"),
        ("cuda.matmul", "allow_tf32"),
        ("cuda.matmul", "allow_fp16_reduced_precision_reduction"),
        ("cuda.matmul", "allow_bf16_reduced_precision_reduction"),
    ],
)
def test_a_switch_of_cuda_that_does_not_take_is_refused_by_name(monkeypatch, library, switch):
    wanted = derive_wanted(STRICT)[f"{library}.{switch}"]
    stuck = SimpleNamespace(
        **{
            name.rpartition(".")[2]: value
            for name, value in derive_wanted(STRICT).items()
            if name.startswith(f"{library}.")
        }
    )
    holder = torch.backends if library == "cudnn" else torch.backends.cuda

    class Stuck(SimpleNamespace):
        def __setattr__(self, name, value):
            super().__setattr__(name, (not wanted) if name == switch else value)

    monkeypatch.setattr(holder, library.rpartition(".")[2], Stuck(**vars(stuck)))
    with pytest.raises(DeterminismError, match=f"{library}.{switch} is {not wanted}, wanted"):
        set_controls(STRICT)


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("name", FLOAT32_SWITCHES)
def test_a_precision_that_does_not_take_is_refused_by_name(monkeypatch, name):
    set_controls(STRICT)
    original = float32_precision._find_holder

    class Stuck:
        fp32_precision = property(lambda _: "tf32", lambda *_: None)

    def find(place):
        stuck = place == float32_precision._PLACES[name]
        return Stuck() if stuck else original(place)

    monkeypatch.setattr(float32_precision, "_find_holder", find)
    with pytest.raises(DeterminismError, match=f"{name} is 'tf32', wanted 'ieee'"):
        set_controls(STRICT)
    assert set_controls(WARN)[name] == "tf32"


@pytest.mark.usefixtures("prepared")
def test_a_torch_without_the_newer_switches_is_taken_at_the_older_ones(monkeypatch):
    monkeypatch.setattr(float32_precision, "_find_holder", lambda _: None)
    found = set_controls(STRICT)
    assert {found[name] for name in FLOAT32_SWITCHES} == {ABSENT}
    assert found["cudnn.allow_tf32"] is False


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ("cuda.matmul", "cuda.matmul.allow_tf32"),
        ("cuda.matmul", "torch.float32_matmul_precision"),
        ("cudnn.conv", "cudnn.allow_tf32"),
    ],
)
def test_an_older_switch_that_a_newer_one_contradicts_is_named_and_set_right(newer, older):
    set_controls(STRICT)
    functools.reduce(getattr, newer.split("."), torch.backends).fp32_precision = "tf32"
    found = read_controls()
    assert found[older] == CONTRADICTED
    assert any(line.startswith(f"{older} is ") for line in find_untaken(STRICT, found))
    assert find_untaken(STRICT, set_controls(STRICT)) == []


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize("name", [*FIXED_VARIABLES, *REMOVED_VARIABLES])
def test_a_variable_set_after_torch_was_imported_is_refused_under_strict(monkeypatch, name):
    monkeypatch.setenv(name, "another value")
    with pytest.raises(DeterminismError, match=f"set only after torch was imported: {name}\n"):
        set_controls(STRICT)


@pytest.mark.usefixtures("prepared")
def test_a_random_hash_seed_is_refused_under_strict(monkeypatch):
    monkeypatch.setattr(controls.sys.flags, "hash_randomization", 1)
    with pytest.raises(DeterminismError, match="hash_randomization is True, wanted False"):
        set_controls(STRICT)


@pytest.mark.usefixtures("prepared")
def test_threads_between_ops_that_cannot_be_set_any_more_are_a_named_error(monkeypatch):
    def refuse(_num):
        raise RuntimeError("cannot set number of interop threads after parallel work has started")

    monkeypatch.setattr(torch, "get_num_interop_threads", lambda: 2)
    monkeypatch.setattr(torch, "set_num_interop_threads", refuse)
    assert set_controls(WARN)["torch.num_interop_threads"] == 2
    with pytest.raises(DeterminismError, match=r"num_interop_threads is 2, wanted 1"):
        set_controls(STRICT)


@pytest.mark.parametrize("switch", derive_wanted(STRICT))
def test_every_wanted_switch_is_named_when_it_reads_back_otherwise(switch):
    wanted = derive_wanted(STRICT)
    verify_controls(STRICT, wanted)
    others = [{**wanted, switch: "other"}]
    if wanted[switch] is not None:
        others.append({name: value for name, value in wanted.items() if name != switch})
    for found in others:
        [line] = find_untaken(STRICT, found)
        assert line.startswith(f"{switch} is ")
        with pytest.raises(DeterminismError) as caught:
            verify_controls(STRICT, found)
        assert line in caught.value.problem


def test_every_wanted_switch_is_read_back_and_the_instruction_sets_are_recorded():
    found = read_controls()
    assert derive_wanted(STRICT).keys() <= found.keys()
    assert {"torch.cpu_capability", *read_variables()} <= found.keys()
