"""Operands of convolutions from a counter-based generator, and the ops that are held together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from cxr.determinism.threefry import threefry2x32


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A convolution: sizes of its operands and how they meet."""

    num_samples: int = 2
    channels: tuple[int, int] = (3, 4)
    image: tuple[int, ...] = (8, 8)
    kernel: tuple[int, ...] = (3, 3)
    stride: tuple[int, ...] = (1, 1)
    padding: tuple[int, ...] = (1, 1)
    dilation: tuple[int, ...] = (1, 1)
    groups: int = 1

    def draw(self):
        """Return image, weight, bias and the output's gradient."""
        inputs, outputs = self.channels
        x = draw(self.num_samples, inputs, *self.image, seed=1)
        weight = draw(outputs, inputs // self.groups, *self.kernel, seed=2)
        places = [
            (size + 2 * padding - dilation * (taps - 1) - 1) // stride + 1
            for size, padding, dilation, taps, stride in zip(
                self.image, self.padding, self.dilation, self.kernel, self.stride, strict=True
            )
        ]
        grad = draw(self.num_samples, outputs, *places, seed=3)
        return x, weight, draw(outputs, seed=4), grad

    @property
    def arguments(self):
        """What aten's op takes after its tensors."""
        none = [0] * len(self.image)
        return (
            list(self.stride),
            list(self.padding),
            list(self.dilation),
            False,
            none,
            self.groups,
        )


LAYERS = {
    "square": Layer(),
    "stride 2": Layer(channels=(4, 6), image=(9, 7), stride=(2, 2)),
    "stem": Layer(channels=(3, 8), image=(15, 16), kernel=(7, 7), stride=(2, 2), padding=(3, 3)),
    "patches": Layer(image=(16, 12), kernel=(4, 4), stride=(4, 4), padding=(0, 0)),
    "1 x 1": Layer(channels=(5, 7), kernel=(1, 1), padding=(0, 0)),
    "1 x 1 of stride 2": Layer(kernel=(1, 1), stride=(2, 2), padding=(0, 0), image=(7, 8)),
    "one pixel": Layer(num_samples=1, image=(3, 3), padding=(0, 0)),
    "unlike axes": Layer(
        image=(9, 14), kernel=(2, 5), stride=(3, 1), padding=(4, 0), dilation=(1, 2)
    ),
    "dilation and stride": Layer(image=(13, 12), stride=(2, 3), padding=(2, 3), dilation=(3, 2)),
    "stride beyond the kernel": Layer(image=(11, 12), kernel=(2, 1), stride=(3, 4), padding=(0, 1)),
    "groups": Layer(channels=(8, 12), groups=4, stride=(2, 1)),
    "depthwise": Layer(channels=(6, 6), groups=6, kernel=(5, 3), padding=(2, 1)),
    "depthwise of stride 2": Layer(channels=(4, 4), groups=4, image=(9, 8), stride=(2, 2)),
    "pairs": Layer(channels=(12, 6), groups=6, dilation=(2, 1)),
    "multiplied": Layer(channels=(3, 6), groups=3, stride=(1, 2)),
    "line": Layer(image=(17,), kernel=(5,), stride=(2,), padding=(2,), dilation=(1,)),
    "no samples": Layer(num_samples=0),
}


def draw(*shape, seed):
    """Return float32 numbers in [-1, 1), scaled by powers of two between 1/8 and 1."""
    count = math.prod(shape)
    number = torch.arange(count, dtype=torch.int64)
    left, right = threefry2x32((seed, 20), (number, torch.zeros_like(number)))
    signed = ((left >> 8) - 2**23).to(torch.float32)
    scale = torch.ones(()) / (1 << (right & 3)).to(torch.float32)
    return (signed / torch.tensor(2.0**23) * scale).reshape(shape)
