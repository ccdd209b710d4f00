from __future__ import annotations

import importlib
import json
import pkgutil
from pathlib import Path

import pytest
import torch

from cxr.determinism import portable
from cxr.determinism.portable import table

DISPATCHED = json.loads(Path(__file__).with_name("dispatched_ops.json").read_text("utf-8"))

# What torch's attention would call; `attention` computes it before torch chooses.
ATTENTION = {
    "aten._safe_softmax.default",
    "aten._scaled_dot_product_flash_attention_for_cpu.default",
    "aten._scaled_dot_product_flash_attention_for_cpu_backward.default",
}


def test_every_op_of_the_listed_models_is_in_the_table():
    """Of benchmarks/dispatched_ops.py: training, both losses, both optimizers, evaluation."""
    loaded = table.load_table()
    unknown = {op for op in DISPATCHED if op.startswith("aten.") and not loaded.knows(op)}
    assert unknown == ATTENTION
    assert len(DISPATCHED) > 100


def test_each_op_stands_in_the_table_once_and_is_an_op_of_torch():
    loaded = table.load_table()
    kinds = [table.VIEWS, table.COPIES, table.CREATED, table.COMPARISONS, table.EXACT]
    assert sum(map(len, kinds)) == len(table.SAFE)
    assert not loaded.replaced.keys() & table.SAFE
    for name in {*loaded.replaced, *table.SAFE, *table.OF_INTEGERS}:
        _, op, overload = name.split(".")
        assert overload in getattr(torch.ops.aten, op).overloads(), name


def test_every_module_that_replaces_ops_is_asked():
    loaded = table.load_table()
    asked = 0
    for module in pkgutil.walk_packages(portable.__path__, f"{portable.__name__}."):
        replaced = getattr(importlib.import_module(module.name), "REPLACED", {})
        # Through a module that takes in others, or by itself.
        assert {op: loaded.replaced.get(op) for op in replaced} == replaced, module.name
        asked += bool(replaced)
    assert asked > len(table.MODULES) / 2


def test_an_op_that_stands_in_the_table_already_is_no_second_entry():
    found = {}
    table.merge(found, "one", {"aten.mm.default": torch.mm})
    with pytest.raises(ValueError, match="replaced by one and by other"):
        table.merge(found, "other", {"aten.mm.default": torch.mm})
    with pytest.raises(ValueError, match="safe as it is"):
        table.merge(found, "other", {"aten.view.default": torch.mm})


def test_a_module_that_is_missing_is_an_error_and_no_smaller_table(monkeypatch):
    monkeypatch.setattr(table, "MODULES", (*table.MODULES, "absent"))
    with pytest.raises(ModuleNotFoundError, match="absent"):
        table.load_table()
