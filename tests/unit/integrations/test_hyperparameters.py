from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import pytest
from torch import nn

from cxr.digests.canonical import canonical_json
from cxr.integrations.hyperparameters import flatten_hyperparameters


def test_names_are_dotted_and_in_order():
    flat = flatten_hyperparameters({"b": {"lr": 0.1, "betas": (0.9, 0.99)}, "a": 1, "c": {}})
    assert flat == {"a": 1, "b.betas": [0.9, 0.99], "b.lr": 0.1, "c": {}}
    assert list(flat) == sorted(flat)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (True, True),
        (math.inf, "inf"),
        (math.nan, "nan"),
        (nn.ReLU, "torch.nn.modules.activation.ReLU"),
        (nn.ReLU(), "torch.nn.modules.activation.ReLU"),
        (partial(print), "functools.partial"),
        ({"b", "a"}, ["a", "b"]),
        ("/data/of/somebody", "not_recorded"),
        (Path("~/data"), "not_recorded"),
        ("images=/mnt/patients/doe", "not_recorded"),
        ("images:/mnt/patients/doe", "not_recorded"),
        ("file:///mnt/patients/doe", "not_recorded"),
        ("file://host/mnt/patients/doe", "not_recorded"),
        ("sqlite:////mnt/patients/doe.db", "not_recorded"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("adamw, 1/2 of train/val: and/or", "adamw, 1/2 of train/val: and/or"),
        (
            [{"api_key": "mild", "key": 3, "token": None}],
            [{"api_key": "not_recorded", "key": 3, "token": None}],
        ),
        ([[{"data": "x=/mnt/doe"}]], [[{"data": "not_recorded"}]]),
        (Path("data/train"), "data/train"),
        ("hf_abcdefghijklmnopqrstuvwxyz", "not_recorded"),
        ([{"x": (1, math.inf)}], [{"x": [1, "inf"]}]),
    ],
)
def test_a_value_is_as_json_can_hold_it_and_nothing_private(value, wanted):
    flat = flatten_hyperparameters({"it": value})
    assert flat == {"it": wanted}
    canonical_json(flat)


@pytest.mark.parametrize("name", ["hub_token", "apiKey", "API_KEY", "password", "db-passwd"])
def test_a_field_that_is_called_like_a_secret_is_not_recorded(name):
    assert flatten_hyperparameters({"a": {name: "mild"}}) == {f"a.{name}": "not_recorded"}


@pytest.mark.parametrize("name", ["tokenizer", "monkey", "keyboard", "max_new_tokens", "pattern"])
def test_a_name_that_only_holds_such_letters_is_recorded(name):
    assert flatten_hyperparameters({name: "mild"}) == {name: "mild"}


def test_a_number_is_no_secret_whatever_it_is_called():
    assert flatten_hyperparameters({"pad_token_id": 0}) == {"pad_token_id": 0}
