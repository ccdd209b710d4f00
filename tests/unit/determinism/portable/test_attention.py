from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from cxr.determinism.portable.attention import attend
from cxr.determinism.portable.errors import UnsupportedError
from cxr.determinism.portable.mode import portable_arithmetic
from cxr.determinism.threefry import threefry2x32
from cxr.errors import DeterminismError


def draw(*shape, seed=0):
    places = torch.arange(math.prod(shape))
    words, _ = threefry2x32((seed, 9), (places, torch.zeros_like(places)))
    return ((words >> 8).to(torch.float32) * 2.0**-22 - 2.0).reshape(shape)


QUERY, KEY, VALUE = (draw(2, 3, 5, 8, seed=seed) for seed in range(3))
MASK = draw(5, 5, seed=4) > 0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"scale": 0.3},
        {"is_causal": True},
        {"attn_mask": MASK},
        {"attn_mask": draw(2, 1, 5, 5, seed=5)},
    ],
)
def test_torchs_attention_becomes_one_composition(options):
    wide = {
        name: v.double() if name == "attn_mask" and v.is_floating_point() else v
        for name, v in options.items()
    }
    leaves = [one.double().requires_grad_() for one in (QUERY, KEY, VALUE)]
    exact = functional.scaled_dot_product_attention(*leaves, **wide)
    exact.sum().backward()
    found = [one.clone().requires_grad_() for one in (QUERY, KEY, VALUE)]
    with portable_arithmetic("step 0"):
        attended = functional.scaled_dot_product_attention(*found, **options)
        attended.sum().backward()
    # Operands of scores are off by 2^-20 of their row's largest: 8 products of at most 4, scaled by
    # 0.36, make 2e-5, and weights and values off by as much make twice that of values up to 2.
    assert torch.allclose(attended.double(), exact, rtol=0, atol=8e-5)
    for one, other in zip(found, leaves, strict=True):
        assert torch.allclose(one.grad.double(), other.grad, rtol=0, atol=4e-4)


def test_a_row_that_attends_to_nothing_is_zero_and_has_no_gradient():
    mask = MASK.clone()
    mask[2] = False
    query = QUERY.clone().requires_grad_()
    with portable_arithmetic("step 0"):
        attended = functional.scaled_dot_product_attention(query, KEY, VALUE, attn_mask=mask)
        attended.sum().backward()
    assert not attended[:, :, 2].any()
    assert not query.grad[:, :, 2].any()
    assert query.grad[:, :, 1].any()


def test_evaluation_and_the_batch_change_no_bits():
    with portable_arithmetic("step 0"):
        trained = attend(QUERY, KEY, VALUE, MASK)
        with torch.inference_mode():
            evaluated = functional.scaled_dot_product_attention(QUERY, KEY, VALUE, MASK)
            alone = functional.scaled_dot_product_attention(
                *(
                    one[1:].transpose(1, 2).contiguous().transpose(1, 2)
                    for one in (QUERY, KEY, VALUE)
                ),
                MASK,
            )
    assert torch.equal(trained, evaluated)
    assert torch.equal(trained[1:], alone)


@pytest.mark.parametrize("training", [True, False])
def test_torchs_layers_of_several_heads_attend_alike(training):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True).train(training)
    images = draw(3, 5, 8, seed=6)
    native = layer(images)
    with portable_arithmetic("a test"):
        found = layer(images)
        alone = torch.cat([layer(image) for image in images.split(1)])
        weighed, _ = layer.self_attn(images, images, images, need_weights=True)
        plain, _ = layer.self_attn(images, images, images, need_weights=False)
    torch.testing.assert_close(found, native, rtol=1e-4, atol=1e-4)
    assert torch.equal(found, alone)
    torch.testing.assert_close(plain, weighed, rtol=1e-4, atol=1e-4)


class SharedKeys(torch.nn.Module):
    def forward(self, query):
        return functional.scaled_dot_product_attention(query, KEY, VALUE, enable_gqa=True)


def test_what_has_no_fixed_form_is_refused_in_the_context_with_its_module():
    with (
        portable_arithmetic("step 3"),
        pytest.raises(DeterminismError, match="shares keys between heads has no port") as caught,
    ):
        SharedKeys()(QUERY)
    assert caught.value.where == "step 3, SharedKeys"


def test_what_has_no_fixed_form_is_refused():
    with pytest.raises(UnsupportedError, match="shares keys"):
        attend(QUERY, KEY, VALUE, enable_gqa=True)
    with pytest.raises(UnsupportedError, match="beside is_causal"):
        attend(QUERY, KEY, VALUE, MASK, is_causal=True)
