"""Depthwise convolutions as they are defined: each product is rounded, then each sum."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from cxr.determinism.portable.exact.convolution import REPLACED
from support.convolutions import LAYERS

FORWARD = REPLACED["aten.convolution.default"]
BACKWARD = REPLACED["aten.convolution_backward.default"]
MARGIN = 16


class Definition:
    """NumPy's elementwise operations, one after the other, which fuse nothing.

    With products in float64, where they are exact, each sum rounds what a fused step would.
    """

    def __init__(self, layer, product_dtype):
        image, weight, _, grad = (tensor.numpy() for tensor in layer.draw())
        self.layer, self.dtype = layer, product_dtype
        self.image, self.weight, self.grad = image, weight, grad

    def multiply(self, left, right):
        return left.astype(self.dtype) * right.astype(self.dtype)

    def add_up(self, terms, axis):
        """Add the upper half to the lower one until one is left."""
        terms = np.moveaxis(terms, axis, 0)
        while len(terms) > 1:
            upper = len(terms) // 2
            sums = (terms[:upper] + terms[len(terms) - upper :]).astype(np.float32)
            terms = np.concatenate([sums, terms[upper : len(terms) - upper]])
        return np.moveaxis(terms, 0, axis)

    def iterate_taps(self):
        """Yield each weight's place, and the channel of the image that it meets."""
        outputs, inputs, num_rows, num_columns = self.weight.shape
        for output, channel in product(range(outputs), range(inputs)):
            group = output // (outputs // self.layer.groups)
            for row, column in product(range(num_rows), range(num_columns)):
                yield (output, channel, row, column), group * inputs + channel

    def offsets(self, place):
        return [
            tap * dilation - padding
            for tap, dilation, padding in zip(
                place[2:], self.layer.dilation, self.layer.padding, strict=True
            )
        ]

    def window(self, place, source):
        return read(
            self.image[:, source], self.offsets(place), self.layer.stride, self.grad.shape[2:]
        )

    def output(self):
        total = np.zeros(self.grad.shape, np.float32)
        for place, source in self.iterate_taps():
            term = self.multiply(self.window(place, source), self.weight[place])
            total[:, place[0]] = total[:, place[0]] + term
        return total

    def input_gradient(self):
        # Zeros between the gradients, where a stride left places out, change no sum.
        rows, columns = self.layer.stride
        shape = [MARGIN * rows, MARGIN * columns]
        spread = np.zeros([*self.grad.shape[:2], *shape], np.float32)
        height, width = self.grad.shape[2:]
        spread[:, :, : height * rows : rows, : width * columns : columns] = self.grad
        total = np.zeros(self.image.shape, np.float32)
        # The taps from the last to the first, as the places that they meet follow.
        for place, source in sorted(
            self.iterate_taps(), key=lambda one: (one[0][0], -one[0][2], -one[0][3])
        ):
            back = [-offset for offset in self.offsets(place)]
            met = read(spread[:, place[0]], back, (1, 1), self.image.shape[2:])
            total[:, source] = total[:, source] + self.multiply(met, self.weight[place])
        return total

    def weight_gradient(self):
        total = np.zeros(self.weight.shape, np.float32)
        for place, source in self.iterate_taps():
            terms = self.multiply(self.window(place, source), self.grad[:, place[0]])
            for axis in (0, 2, 1):
                terms = self.add_up(terms, axis)
            total[place] = terms.item()
        return total

    def results(self):
        return self.output(), self.input_gradient(), self.weight_gradient()


def read(values_NHW, offsets, stride, shape):  # noqa: N803 - suffixes name the axes
    """Return places ``offset + stride * position``; those outside are zero."""
    padded = np.pad(values_NHW, ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN)))
    rows, columns = (
        slice(MARGIN + offset, MARGIN + offset + step * (size - 1) + 1, step)
        for offset, step, size in zip(offsets, stride, shape, strict=True)
    )
    return padded[:, rows, columns]


def convolve(layer):
    x, weight, _, grad = layer.draw()
    output = FORWARD(x, weight, None, *layer.arguments)
    gradients = BACKWARD(grad, x, weight, None, *layer.arguments, [True, True, False])
    return [tensor.contiguous().numpy() for tensor in (output, *gradients[:2])]


@pytest.mark.parametrize("name", ["depthwise", "depthwise of stride 2", "pairs", "multiplied"])
def test_products_and_sums_are_rounded_one_after_the_other(name):
    layer = LAYERS[name]
    found = convolve(layer)
    defined = Definition(layer, np.float32).results()
    fused = Definition(layer, np.float64).results()
    for result, reference, other in zip(found, defined, fused, strict=True):
        assert result.shape == reference.shape
        assert result.tobytes() == reference.tobytes()
        # Otherwise the test would show nothing.
        assert result.tobytes() != other.tobytes()
