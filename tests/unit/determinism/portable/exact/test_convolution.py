from __future__ import annotations

import pytest
import torch

from cxr.determinism.portable.errors import NotFiniteError, UnsupportedError
from cxr.determinism.portable.exact import (
    convolution,
    depthwise,
    group_merging,
    weight_gradients,
    window_blocks,
    window_products,
)
from cxr.determinism.portable.exact.backend_choice import use_backend
from cxr.determinism.portable.exact.convolution import REPLACED
from cxr.determinism.portable.exact.scaling import find_exponents
from support.convolutions import LAYERS, Layer, draw

FORWARD = REPLACED["aten.convolution.default"]
BACKWARD = REPLACED["aten.convolution_backward.default"]
NAMES = ("output", "gradient of the input", "gradient of the weight", "gradient of the bias")
UNIT = 2.0**-24  # a float32 rounding


def run_portable(layer, x, weight, bias, grad):
    """Return the output and the three gradients."""
    sizes = list(bias.shape)
    output = FORWARD(x, weight, bias, *layer.arguments)
    return output, *BACKWARD(grad, x, weight, sizes, *layer.arguments, [True] * 3)


def run_native(layer, x, weight, bias, grad):
    sizes = list(bias.shape)
    output = torch.ops.aten.convolution(x, weight, bias, *layer.arguments)
    gradients = torch.ops.aten.convolution_backward(
        grad, x, weight, sizes, *layer.arguments, [True] * 3
    )
    return output, *gradients


def bits(tensors):
    return [tensor.contiguous().view(torch.int32) for tensor in tensors]


def assert_same_bits(left, right):
    for name, a, b in zip(NAMES, bits(left), bits(right), strict=True):
        assert torch.equal(a, b), name


def spread(x, dims):
    """Return the largest error of an operand's integers, half of 2^(e - 19), for each element."""
    return (torch.ones(()).double() * 2.0 ** (find_exponents(x, dims).double() - 20)).expand_as(x)


def bound_products(layer, x, weight, bias, grad):
    """Return the proved bounds of output and gradients against exact ones.

    Each is bilinear, f(a, b). With operands wrong by da and db the product is wrong by at most
    f(|a| + da, |b| + db) - f(|a|, |b|); one rounding to float32 follows, and one for the bias.
    """
    if convolution._method(weight, layer_geometry(layer, x, weight), 1) is depthwise:
        return bound_sequences(layer, x, weight, bias, grad)
    samples = tuple(range(1, x.ndim))
    channels = (0, *range(2, x.ndim))
    weight_inputs = weight.unflatten(0, (layer.groups, -1))
    by_input = spread(weight_inputs, (1, *range(3, weight_inputs.ndim))).flatten(0, 1)
    units = [
        (spread(x, samples), spread(weight, samples), torch.zeros_like(grad).double()),
        (torch.zeros_like(x).double(), by_input, spread(grad, samples)),
        (spread(x, channels), torch.zeros_like(weight).double(), spread(grad, channels)),
    ]
    exact = run_native(layer, x.double(), weight.double(), bias.double(), grad.double())
    magnitudes = [tensor.double().abs() for tensor in (x, weight, grad)]
    no_bias = torch.zeros_like(bias).double()
    bounds = []
    for place, widths in enumerate(units):
        wider = [size + width for size, width in zip(magnitudes, widths, strict=True)]
        above = run_native(layer, wider[0], wider[1], no_bias, wider[2])[place]
        below = run_native(layer, magnitudes[0], magnitudes[1], no_bias, magnitudes[2])[place]
        bounds.append(above - below)
    bounds.append(tree_bound(grad))
    roundings = [3, 1.01, 1.01, 0]
    return [
        # 2^-149 for results that are subnormal, 1e-14 for the reference's own error.
        bound * (1 + 1e-6) + count * UNIT * (result.abs() + bound) + 2.0**-149 + 1e-14 * reach
        for bound, count, result, reach in zip(
            bounds,
            roundings,
            exact,
            run_native(layer, *reaches(x, weight, bias, grad)),
            strict=True,
        )
    ]


def bound_sequences(layer, x, weight, bias, grad):
    """Return the bounds of depthwise convolutions: a rounding a term and a level."""
    inputs, outputs = weight.shape[1], weight.shape[0] // layer.groups
    taps = weight[0, 0].numel()
    levels = sum((size - 1).bit_length() for size in (grad.shape[0], *grad.shape[2:]))
    reach = run_native(layer, *reaches(x, weight, bias, grad))
    factors = [inputs * taps + 2, outputs * taps + 2, levels + 2]
    bounds = [
        factor * UNIT * 1.0001 * size + factor * 2.0**-149
        for factor, size in zip(factors, reach, strict=False)
    ]
    return [*bounds, tree_bound(grad)]


def tree_bound(grad):
    levels = sum((size - 1).bit_length() for size in (grad.shape[0], *grad.shape[2:]) if size)
    dims = (0, *range(2, grad.ndim))
    return (levels + 1) * UNIT * grad.double().abs().sum(dims)


def reaches(*operands):
    x, weight, bias, grad = (tensor.double().abs() for tensor in operands)
    return x, weight, bias, grad


def layer_geometry(layer, x, weight):
    if x.ndim == 3:
        x, weight = x.unsqueeze(2), weight.unsqueeze(2)
    return convolution._geometry(
        x, weight, layer.stride, layer.padding, layer.dilation, layer.groups
    )


def assert_within_bounds(layer, operands):
    exact = run_native(layer, *(tensor.double() for tensor in operands))
    results = run_portable(layer, *operands)
    bounds = bound_products(layer, *operands)
    for name, result, reference, bound in zip(NAMES, results, exact, bounds, strict=True):
        assert result.shape == reference.shape, name
        assert result.dtype == torch.float32, name
        assert bool(((result.double() - reference).abs() <= bound).all()), name


@pytest.mark.parametrize("name", LAYERS)
def test_results_are_within_the_proved_bounds(name):
    layer = LAYERS[name]
    assert_within_bounds(layer, layer.draw())


@pytest.mark.parametrize("name", ["stride 2", "groups", "depthwise"])
@pytest.mark.parametrize("kind", ["spiked", "unlike samples", "cancelling", "tiny", "huge"])
def test_bounds_hold_for_hard_operands(name, kind):
    layer = LAYERS[name]
    x, weight, bias, grad = layer.draw()
    if kind == "spiked":
        x[0, 1, 2, 3] = 1e6
        grad[-1, -1, 0, 1] = -1e7
    elif kind == "unlike samples":
        x[0] *= 1e-12
        grad[1] *= 1e9
        weight[0] *= 1e-9
    elif kind == "cancelling":
        x[:, 1] = -x[:, 0]
        weight[:, 0] = 1
    elif kind == "tiny":
        x, grad = x * 2.0**-140, grad * 2.0**-149
    else:
        x, grad, weight = x * 2.0**60, grad * 2.0**60, weight * 2.0**60
    assert_within_bounds(layer, (x, weight, bias, grad))


@pytest.mark.parametrize("name", LAYERS)
def test_layout_blocks_and_backend_change_no_bit(name, monkeypatch):
    layer = LAYERS[name]
    operands = layer.draw()
    plain = run_portable(layer, *operands)
    x, weight, bias, grad = operands
    if x.ndim == 4:
        last = [tensor.to(memory_format=torch.channels_last) for tensor in (x, weight, grad)]
        assert_same_bits(plain, run_portable(layer, last[0], last[1], bias, last[2]))
    strided = [torch.stack([tensor, -tensor], dim=-1)[..., 0] for tensor in operands]
    assert_same_bits(plain, run_portable(layer, *strided))
    with use_backend("int8"):
        assert_same_bits(plain, run_portable(layer, *operands))
    monkeypatch.setattr(window_blocks, "PRODUCT_BYTES", 500)
    assert_same_bits(plain, run_portable(layer, *operands))
    monkeypatch.setattr(window_blocks, "BLOCK_BYTES", 2000)
    monkeypatch.setattr(depthwise, "BLOCK_ELEMENTS", 20)
    assert_same_bits(plain, run_portable(layer, *operands))


def run_merged(monkeypatch, widest):
    """Run groups of three channels in, and of four out, merged up to ``widest`` channels."""
    monkeypatch.setattr(group_merging, "WIDEST", widest)
    layer = Layer(channels=(18, 24), image=(9, 7), stride=(2, 2), groups=6)
    x, weight, bias, grad = layer.draw()
    merged, _ = group_merging.merge_groups(weight, layer_geometry(layer, x, weight))
    return merged.shape[1] // 3, run_portable(layer, x, weight, bias, grad)


@pytest.mark.parametrize(("widest", "num_merged"), [(8, 2), (12, 3), (23, 3), (24, 6), (999, 6)])
def test_merged_groups_have_the_bits_of_groups(monkeypatch, widest, num_merged):
    count, alone = run_merged(monkeypatch, 1)
    assert count == 1
    count, merged = run_merged(monkeypatch, widest)
    assert count == num_merged
    assert_same_bits(alone, merged)


def test_groups_that_meet_are_seen(monkeypatch):
    _, alone = run_merged(monkeypatch, 1)
    # Weights where there should be zeros.
    monkeypatch.setattr(torch.Tensor, "new_zeros", torch.Tensor.new_ones)
    _, merged = run_merged(monkeypatch, 12)
    for before, after in zip(alone[:2], merged[:2], strict=True):
        assert not torch.equal(before, after)


def assert_rows_stand_alone(layer):
    """Outputs and input gradients of a batch are those of each sample alone."""
    x, weight, bias, grad = layer.draw()
    x[1] *= 1000
    grad[0] *= 1000
    batch = run_portable(layer, x, weight, bias, grad)
    for sample in range(len(x)):
        row = slice(sample, sample + 1)
        alone = run_portable(layer, x[row], weight, bias, grad[row])
        for result, whole in zip(alone[:2], batch[:2], strict=True):
            assert torch.equal(*bits([result, whole[row]]))


@pytest.mark.parametrize("name", ["stem", "1 x 1", "groups", "depthwise of stride 2", "line"])
def test_a_sample_has_the_bits_that_it_has_alone(name):
    assert_rows_stand_alone(LAYERS[name])


def test_an_exponent_of_the_whole_batch_is_seen(monkeypatch):
    def find_over_all(x, dims):
        return find_exponents(x, tuple(range(x.ndim)) if dims == (1, 2, 3) else dims).expand(
            [1 if dim in dims else size for dim, size in enumerate(x.shape)]
        )

    monkeypatch.setattr(window_products, "find_exponents", find_over_all)
    with pytest.raises(AssertionError):
        assert_rows_stand_alone(LAYERS["stem"])


def sum_in_chunks(left, right, *, chunk):
    """Return the sum of products of integers as it is defined: exact chunks added in float64."""
    total = None
    for start in range(0, len(left), chunk):
        pairs = zip(left[start : start + chunk], right[start : start + chunk], strict=True)
        part = float(sum(a * b for a, b in pairs))
        total = part if total is None else total + part
    return total


def draw_long_sum():
    """Return operands of a weight gradient whose sum leaves 2^53 and ends as a small number."""
    half = 350 * 353
    image = 2**19 - 1 - torch.arange(half) % 7
    grad = (2**19 - 1 - torch.arange(half) % 5).repeat(2)
    grad[half:] *= -1
    grad[-5:] += 1
    return image.repeat(2), grad


def multiply_long_sum():
    # Rows of 350 places, so that chunks end within rows.
    image, grad = (tensor.view(1, 1, -1, 350).float() / 2**19 for tensor in draw_long_sum())
    layer = Layer(kernel=(1, 1), padding=(0, 0))
    mask = [False, True, False]
    weight = torch.ones(1, 1, 1, 1)
    return BACKWARD(grad, image, weight, None, *layer.arguments, mask)[1].item() * 2**38


def test_positions_are_added_in_chunks_of_fixed_length(monkeypatch):
    image, grad = (tensor.tolist() for tensor in draw_long_sum())
    defined = sum_in_chunks(image, grad, chunk=2**14)
    assert defined != sum_in_chunks(image, grad, chunk=2**18)
    assert multiply_long_sum() == defined
    # Blocks that end elsewhere than chunks.
    monkeypatch.setattr(window_blocks, "BLOCK_BYTES", 7 * 2800)
    assert multiply_long_sum() == defined


@pytest.mark.parametrize("chunk", [2**15, 2**18])
def test_chunks_of_another_length_are_seen(monkeypatch, chunk):
    right = multiply_long_sum()
    monkeypatch.setattr(weight_gradients, "CHUNK", chunk)
    monkeypatch.setattr("cxr.determinism.portable.exact.products.CHUNK", chunk)
    assert multiply_long_sum() != right


def test_only_gradients_that_are_asked_for_are_computed():
    layer = LAYERS["square"]
    x, weight, bias, grad = layer.draw()
    whole = run_portable(layer, x, weight, bias, grad)[1:]
    for place in range(3):
        mask = [other == place for other in range(3)]
        some = BACKWARD(grad, x, weight, list(bias.shape), *layer.arguments, mask)
        assert [result is not None for result in some] == mask
        assert torch.equal(some[place], whole[place])


@pytest.mark.parametrize("name", ["square", "depthwise"])
def test_results_lie_channels_last_where_the_image_does(name):
    layer = LAYERS[name]
    x, weight, bias, grad = layer.draw()
    assert all(tensor.is_contiguous() for tensor in run_portable(layer, x, weight, bias, grad)[:2])
    x = x.to(memory_format=torch.channels_last)
    for tensor in run_portable(layer, x, weight, bias, grad)[:2]:
        assert tensor.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["square", "groups", "depthwise"])
@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_operands_that_are_not_finite_are_refused(name, value):
    layer = LAYERS[name]
    for place in (0, 1, 3):
        operands = layer.draw()
        operands[place][0, 0, 1, 1] = value
        with pytest.raises(NotFiniteError):
            run_portable(layer, *operands)


def test_what_has_no_portable_form_is_refused():
    layer = LAYERS["square"]
    x, weight, bias, _ = layer.draw()
    stride, padding, dilation, _, none, groups = layer.arguments
    with pytest.raises(UnsupportedError, match="transposed"):
        FORWARD(x, weight, bias, stride, padding, dilation, True, none, groups)
    with pytest.raises(UnsupportedError, match="float64"):
        FORWARD(x.double(), weight.double(), None, *layer.arguments)
    with pytest.raises(UnsupportedError, match="3 axes"):
        FORWARD(draw(1, 1, 3, 3, 3, seed=0), draw(1, 1, 1, 1, 1, seed=0), None, *layer.arguments)


def test_operands_are_left_as_they_were():
    layer = LAYERS["depthwise"]
    operands = layer.draw()
    run_portable(layer, *operands)
    for before, after in zip(layer.draw(), operands, strict=True):
        assert torch.equal(before, after)
