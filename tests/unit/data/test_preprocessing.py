from __future__ import annotations

import json

import pytest

from cxr.config.data_section import DataConfig
from cxr.data.caches import looked_with
from cxr.data.preprocessing import (
    describe_preprocessing,
    digest_preprocessing,
    record_preprocessing,
    require_same_preprocessing,
)
from cxr.environment import canaries
from cxr.errors import ExitCode, PreprocessingError

WINDOW = {"kind": "percentile", "low": 1, "high": 99}


def build(**changes):
    tree = {"source": "folder", "root": "x", "classes": ["a", "b"], **changes}
    return DataConfig.model_validate_json(json.dumps(tree))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("size_px", {"image_size": 65}),
        ("channels", {"channels": 3}),
        ("resample", {"resample": "bicubic"}),
        ("mean", {"mean": 0.51}),
        ("std", {"std": 0.26}),
        ("window", {"window": WINDOW}),
    ],
)
def test_each_field_changes_the_digest_and_is_named(name, changes):
    recorded = record_preprocessing(build())
    with pytest.raises(PreprocessingError) as caught:
        require_same_preprocessing(recorded, build(**changes))
    assert caught.value.exit_code is ExitCode.DIFFERS
    assert caught.value.where.startswith(f"{name}: ")
    assert "\n" not in caught.value.where
    tensors = describe_preprocessing(build(**changes))["tensors"]
    assert tensors != recorded["preprocessing"]["tensors"]


def test_what_is_no_part_of_it_changes_nothing():
    recorded = record_preprocessing(build())
    found = require_same_preprocessing(recorded, build(split_seed=7, classes=["c", "d"]))
    assert (found.digest, found.other_decoders) == (recorded["preprocessing_digest"], ())


def test_a_window_is_seen_in_the_tensor_of_a_deep_picture():
    without, under = (describe_preprocessing(build(**one)) for one in ({}, {"window": WINDOW}))
    assert without["tensors"]["png_grey_16_bit"] == "refused"
    assert under["tensors"]["png_grey_16_bit"].startswith("sha256:")
    shallow = [name for name in without["tensors"] if name != "png_grey_16_bit"]
    assert all(without["tensors"][name] == under["tensors"][name] for name in shallow)


@pytest.mark.parametrize("name", list(canaries.EXPECTED))
def test_another_picture_from_a_decoder_is_named_by_its_canary(name, monkeypatch):
    recorded = record_preprocessing(build())
    other = next(one for one in canaries._FILES if one != name)
    monkeypatch.setitem(canaries._FILES, name, canaries._FILES[other])
    monkeypatch.setattr(looked_with, "find_decoder_versions", lambda: {"pil": "0"})
    with pytest.raises(PreprocessingError) as caught:
        require_same_preprocessing(recorded, build())
    first, *lines = caught.value.where.split("\n         ")
    assert first == f"canary {name}"
    assert any(line.startswith("pil: ") for line in lines)


def test_another_version_that_decodes_alike_is_told_and_not_refused(monkeypatch):
    recorded = record_preprocessing(build())
    versions = {**recorded["preprocessing"]["decoders"], "pil": "0.0"}
    monkeypatch.setattr(looked_with, "find_decoder_versions", lambda: versions)
    found = require_same_preprocessing(recorded, build())
    assert found.digest == recorded["preprocessing_digest"]
    assert [line.split(": ")[0] for line in found.other_decoders] == ["pil"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda recorded: recorded | {"preprocessing": None},
        lambda recorded: recorded | {"preprocessing": {}},
        lambda recorded: recorded | {"preprocessing_digest": "sha256:0"},
        lambda recorded: (
            recorded | {"preprocessing": {**recorded["preprocessing"], "tensors": None}}
        ),
        lambda recorded: recorded | {"preprocessing": {**recorded["preprocessing"], "gamma": 2}},
    ],
)
def test_a_record_that_was_edited_is_refused(spoil):
    with pytest.raises(PreprocessingError):
        require_same_preprocessing(spoil(record_preprocessing(build())), build())


def test_a_run_from_before_is_not_checked_and_vectors_have_none():
    assert require_same_preprocessing({}, build()).digest is None
    assert record_preprocessing(DataConfig(source="synthetic")) == {}


def test_the_digest_does_not_depend_on_the_order_of_fields():
    described = describe_preprocessing(build())
    turned = dict(reversed(described.items()))
    assert digest_preprocessing(turned) == digest_preprocessing(described)
