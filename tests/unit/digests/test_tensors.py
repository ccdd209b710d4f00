from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
import xxhash

from cxr.digests import tensors
from cxr.digests.canonical import canonical_json
from cxr.digests.tensors import (
    describe_tensor,
    digest_tensors,
    digest_value,
    digest_weights,
    tensor_bytes,
)

WEIGHTS = {
    "first.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "first.bias": torch.tensor([0.5, -0.0, 2.0]),
    "steps": torch.tensor(7),
}


def changed(**tensors):
    return {**WEIGHTS, **{name.replace("__", "."): value for name, value in tensors.items()}}


def test_weights_digest_is_what_the_format_says():
    state = hashlib.sha256()
    state.update(b'["first.bias","float32",[3]]\n')
    state.update(np.array([0.5, -0.0, 2.0], dtype="<f4").tobytes())
    state.update(b'["first.weight","float32",[2,3]]\n')
    state.update(np.arange(6, dtype="<f4").tobytes())
    state.update(b'["steps","int64",[]]\n')
    state.update(np.array(7, dtype="<i8").tobytes())
    assert digest_weights(WEIGHTS) == f"sha256:{state.hexdigest()}"


def test_weights_digest_does_not_depend_on_the_order_of_the_dict():
    assert digest_weights(dict(reversed(WEIGHTS.items()))) == digest_weights(WEIGHTS)


def test_weights_digest_does_not_depend_on_how_values_lie_in_memory():
    weight = WEIGHTS["first.weight"]
    transposed = weight.t().contiguous().t()
    padded = torch.zeros(4, 9)[1:3, 2:8:2]
    padded.copy_(weight)
    for other in (transposed, padded, weight.clone().requires_grad_()):
        assert digest_weights(changed(first__weight=other)) == digest_weights(WEIGHTS)
    assert not transposed.is_contiguous()
    assert not padded.is_contiguous()


def test_weights_digest_does_not_depend_on_memory_format():
    images = torch.arange(48, dtype=torch.float32).reshape(2, 3, 4, 2)
    other = images.to(memory_format=torch.channels_last)
    assert other.stride() != images.stride()
    assert digest_weights({"x": other}) == digest_weights({"x": images})


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(changed(first__bias=torch.tensor([0.5, 0.0, 2.0])), id="sign of zero"),
        pytest.param(changed(first__bias=torch.tensor([2.0, -0.0, 0.5])), id="permutation"),
        pytest.param(changed(first__weight=WEIGHTS["first.weight"].reshape(3, 2)), id="shape"),
        pytest.param(changed(steps=torch.tensor(7, dtype=torch.int32)), id="dtype"),
        pytest.param(changed(steps=torch.tensor([7])), id="dimensions"),
        pytest.param(changed(more=torch.empty(0)), id="an empty tensor more"),
        pytest.param(
            {name.replace("bias", "base"): value for name, value in WEIGHTS.items()}, id="name"
        ),
        pytest.param(
            changed(first__bias=torch.nextafter(WEIGHTS["first.bias"], torch.tensor(9.0))),
            id="one unit in the last place",
        ),
    ],
)
def test_weights_digest_sees(other):
    assert digest_weights(other) != digest_weights(WEIGHTS)


def test_weights_digest_sees_the_payload_of_nan():
    bits = torch.tensor([0x7FC00000, 0x7FC00001], dtype=torch.int32)
    first, second = bits.view(torch.float32)
    assert digest_weights({"x": first}) != digest_weights({"x": second})


def test_bytes_do_not_move_from_one_tensor_to_the_next():
    one = {"a": torch.tensor([1, 2], dtype=torch.uint8), "b": torch.tensor([3], dtype=torch.uint8)}
    two = {"a": torch.tensor([1], dtype=torch.uint8), "b": torch.tensor([2, 3], dtype=torch.uint8)}
    assert digest_weights(one) != digest_weights(two)


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool]
)
def test_bytes_of_every_kind_of_tensor_are_in_index_order(dtype):
    tensor = torch.tensor([[1, 0], [0, 1]]).to(dtype)
    found = tensor_bytes(tensor.t())
    assert found.dtype == np.uint8
    assert found.tobytes() == bytes(tensor.t().contiguous().untyped_storage())
    assert describe_tensor(tensor) == (str(dtype).removeprefix("torch."), [2, 2])


def test_bytes_of_a_contiguous_tensor_are_not_copied():
    tensor = torch.zeros(4)
    tensor_bytes(tensor)[0] = 1
    assert tensor[0] != 0


def test_step_digests_are_xxh3_of_the_bytes():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    wanted = xxhash.xxh3_128_digest(array.tobytes())
    assert digest_value(torch.from_numpy(array)) == wanted
    assert digest_value(array) == wanted
    assert digest_value(np.asfortranarray(array)) == wanted
    assert digest_value({"a": 0.5}) == xxhash.xxh3_128_digest(canonical_json({"a": 0.5}))
    assert len(wanted) == 16


@pytest.mark.parametrize("kind", [torch.tensor, np.array])
def test_step_digests_see_order_and_sign_of_zero(kind):
    found = [digest_value(kind(value)) for value in ([1.0, 0.0], [0.0, 1.0], [1.0, -0.0])]
    assert len(set(found)) == 3


@pytest.mark.parametrize("value", [torch.empty(0, 3), np.empty((0, 3))])
def test_nothing_has_the_step_digest_of_no_bytes(value):
    assert digest_value(value) == xxhash.xxh3_128_digest(b"")


@pytest.mark.parametrize("cores", [1, 2, 3, 64, None])
def test_who_computes_a_digest_does_not_change_it(monkeypatch, cores):
    monkeypatch.setattr(tensors, "_SMALL_BYTES", 100)
    monkeypatch.setattr(tensors.os, "cpu_count", lambda: cores)
    several = {f"w{size}": torch.arange(size, dtype=torch.float32) for size in (7, 300, 1, 50, 0)}
    found = digest_tensors(several)
    assert found == {name: digest_value(tensor) for name, tensor in several.items()}
    assert list(found) == list(several)


def test_small_sets_are_digested_alike():
    assert digest_tensors(WEIGHTS) == {name: digest_value(WEIGHTS[name]) for name in WEIGHTS}
    assert digest_tensors({}) == {}
