"""How far the weights of two runs lie apart, from their files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxr.bounded_file import read_regular
from cxr.errors import WeightsError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsDistance:
    """How far the floating-point tensors of two files lie apart.

    Attributes:
        tensors: Tensors that differ, whole numbers included.
        largest_difference: Of two elements.
        relative_norm: Euclidean norm of the difference over that of the first; None where that
            is 0.
    """

    tensors: int
    largest_difference: float
    relative_norm: float | None


def measure_weights_distance(first: Path, second: Path) -> WeightsDistance:
    """Compare two safetensors files that hold the same tensors, in float64.

    Raises:
        WeightsError: A file cannot be read, or they hold other tensors.
    """
    import numpy as np

    a, b = (_load(path) for path in (first, second))
    if {name: value.shape for name, value in a.items()} != {
        name: value.shape for name, value in b.items()
    }:
        raise WeightsError(
            "the runs' weights have other tensors",
            where=str(second),
            hint="restore the file, or train the run again",
        )
    largest, tensors = 0.0, 0
    squares: list[float] = []
    whole: list[float] = []
    for name in sorted(a):
        if a[name].tobytes() != b[name].tobytes():
            tensors += 1
        if a[name].dtype.kind != "f" or not a[name].size:
            continue
        left, right = (table[name].astype(np.float64).ravel() for table in (a, b))
        apart = np.abs(left - right)
        largest = max(largest, float(apart.max()))
        squares.append(float(np.square(apart).sum()))
        whole.append(float(np.square(left).sum()))
    norm = math.sqrt(math.fsum(whole))
    return WeightsDistance(
        tensors=tensors,
        largest_difference=largest,
        relative_norm=math.sqrt(math.fsum(squares)) / norm if norm else None,
    )


def _load(path: Path) -> dict[str, NDArray[Any]]:
    import safetensors
    import safetensors.numpy

    try:
        tensors: dict[str, NDArray[Any]] = safetensors.numpy.load(read_regular(path))
    except (OSError, safetensors.SafetensorError) as error:
        raise WeightsError(
            f"cannot read the tensors: {' '.join(str(error).split())[:200]}",
            where=str(path),
            hint="the file is damaged or not safetensors; restore it",
        ) from error
    return tensors
