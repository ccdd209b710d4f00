"""What the windows of a convolution read, along each axis, forward and backward.

A window reads the places ``start + stride * position + spacing * tap``; what lies outside the image
counts as zero. The convolution and its weight gradient read the image in this way, and the input
gradient reads the output's gradient, one parity class after the other:

Input place ``i`` met output place ``p`` through tap ``k`` if
``i + padding = stride * p + dilation * k``. So with ``r = (i + padding) mod stride`` only the taps
with ``dilation * k mod stride = r`` count. Places of one ``r`` form a class that is a convolution
of stride 1 with fewer taps, and no zeros stand between the gradients.

Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", arXiv:1603.07285,
for the relation between places and taps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The places that each output position reads along one axis."""

    num_positions: int
    start: int
    stride: int
    num_taps: int
    spacing: int

    @property
    def last(self) -> int:
        """The farthest place that is read."""
        return (
            self.start + self.stride * (self.num_positions - 1) + self.spacing * (self.num_taps - 1)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityClass:
    """Input places ``first, first + step, ...`` of an axis and what their gradient reads."""

    first: int
    step: int
    window: Window
    taps: tuple[int, ...]
    """The kernel's taps, in the order in which the window meets them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """How a convolution over two axes is laid out; each pair is (H, W)."""

    image: tuple[int, int]
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    num_groups: int

    def forward_windows(self) -> tuple[Window, Window]:
        """Return what the output's rows and columns read of the image."""
        rows, columns = (
            forward_window(
                self.image[axis],
                num_taps=self.kernel[axis],
                stride=self.stride[axis],
                padding=self.padding[axis],
                dilation=self.dilation[axis],
            )
            for axis in range(2)
        )
        return rows, columns

    def gradient_classes(self) -> Iterator[tuple[ParityClass, ParityClass]]:
        """Yield what the image's rows and columns read of the output's gradient, class by class."""
        rows, columns = (
            gradient_classes(
                self.image[axis],
                num_taps=self.kernel[axis],
                stride=self.stride[axis],
                padding=self.padding[axis],
                dilation=self.dilation[axis],
            )
            for axis in range(2)
        )
        for row_class in rows:
            for column_class in columns:
                yield row_class, column_class


def forward_window(
    length: int, *, num_taps: int, stride: int, padding: int, dilation: int
) -> Window:
    """Return what a convolution reads along an axis of ``length`` places."""
    num_positions = (length + 2 * padding - dilation * (num_taps - 1) - 1) // stride + 1
    return Window(
        num_positions=num_positions,
        start=-padding,
        stride=stride,
        num_taps=num_taps,
        spacing=dilation,
    )


def gradient_classes(
    length: int, *, num_taps: int, stride: int, padding: int, dilation: int
) -> list[ParityClass]:
    """Return what the gradient of an axis of ``length`` places reads, class by class.

    A class that no tap meets is left out: its gradient is zero.
    """
    classes = []
    for remainder in range(stride):
        taps = [tap for tap in range(num_taps) if tap * dilation % stride == remainder]
        first = (remainder - padding) % stride
        if not taps or first >= length:
            continue
        # Output places met by the class's first place: begin - offset, an offset a tap.
        begin = (first + padding - remainder) // stride
        offsets = [(tap * dilation - remainder) // stride for tap in taps]
        window = Window(
            num_positions=-(-(length - first) // stride),
            start=begin - offsets[-1],
            stride=1,
            num_taps=len(taps),
            spacing=offsets[1] - offsets[0] if len(taps) > 1 else 1,
        )
        classes.append(
            ParityClass(first=first, step=stride, window=window, taps=tuple(reversed(taps)))
        )
    return classes
