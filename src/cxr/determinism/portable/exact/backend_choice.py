"""Which backend multiplies: raced for each class of shapes, on products that are wanted anyway.

Both backends give the same numbers (`planes`), so the first calls of a class are shared out between
them, each is timed, and the faster one takes all later calls: no product is computed twice. A class
is a kind of product with the powers of two around its lengths; nine products of digits, copies and
conversions weigh differently for each. What has been learnt lasts as long as the process. It
changes no bits, and `VARIABLE` does away with it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final

import torch

from cxr.determinism.portable.exact import digits
from cxr.determinism.portable.exact.planes import BACKENDS, FLOAT64, INT8, Backend
from cxr.errors import UsageError

VARIABLE: Final = "CXR_PORTABLE_PRODUCTS"
"""Environment variable that names the backend; it changes no bits."""

NUM_TRIALS: Final = 3
"""Calls by which each backend is judged; the least time counts, for others only disturb."""

_TRIAL_SHAPE: Final = (1024, 1024, 128)
"""Rows, inner length and columns of the product that int8 must get right, as convolutions have."""


@dataclass(slots=True, kw_only=True)
class _Race:
    """The times of one class of products, in seconds, by backend."""

    times: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in BACKENDS})
    winner: Backend | None = None

    def next_backend(self) -> Backend:
        """Return the backend that was tried least."""
        return BACKENDS[min(self.times, key=lambda name: len(self.times[name]))]

    def record(self, backend: Backend, seconds: float) -> None:
        """Note a time; the last one decides."""
        self.times[backend.name].append(seconds)
        if all(len(times) >= NUM_TRIALS for times in self.times.values()):
            self.winner = BACKENDS[min(self.times, key=lambda name: min(self.times[name]))]


class _Process:
    """What this process has learnt: one for all of its threads, for autograd has its own."""

    forced: Backend | None = None
    races: Final[dict[Hashable, _Race]] = {}


@contextlib.contextmanager
def chosen_backend(kind: str, *lengths: int) -> Iterator[Backend]:
    """Compute the product of the block with the backend that is yielded.

    Args:
        kind: Which product it is, with all that is done around it.
        lengths: What its time depends on: rows, inner length, columns.

    Raises:
        UsageError: The variable of the environment names no backend.
    """
    forced = _Process.forced or _find_named(os.environ.get(VARIABLE))
    if forced is None and not _int8_is_exact():
        forced = FLOAT64
    if forced is not None:
        yield forced
        return
    race = _Process.races.setdefault((kind, *map(int.bit_length, lengths)), _Race())
    if race.winner is not None:
        yield race.winner
        return
    backend = race.next_backend()
    start = time.perf_counter()
    yield backend
    race.record(backend, time.perf_counter() - start)


@contextlib.contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Compute the block with the backend ``name``: ``float64`` or ``int8``.

    Raises:
        KeyError: There is none of that name.
    """
    before = _Process.forced
    _Process.forced = BACKENDS[name]
    try:
        yield
    finally:
        _Process.forced = before


def _find_named(name: str | None) -> Backend | None:
    """Return the backend that `VARIABLE` names, None where it is not set."""
    if name is None:
        return None
    if name not in BACKENDS:
        raise UsageError(
            f"no backend is called {name!r}",
            where=VARIABLE,
            hint=f"set it to {' or '.join(BACKENDS)}, or unset it to have it measured",
        )
    return BACKENDS[name]


@functools.cache
def _int8_is_exact() -> bool:
    """Say whether int8 gives the right integers here for the largest digits; tried once."""
    num_rows, inner, num_columns = _TRIAL_SHAPE
    ramp = torch.arange(num_rows * inner).mul_(0x9E37).remainder_(2**20 + 1).sub_(2**19)
    rows = ramp.to(torch.int32).view(num_rows, inner)
    columns = rows[:num_columns].t().contiguous()
    # Digits of 63 against digits of -64, all of them: what saturates first.
    rows[0], columns[:, 0] = digits.LARGEST, -digits.OFFSET
    try:
        product = _product_of(INT8, rows, columns)
    except RuntimeError:
        # This torch has no such GEMM for this machine.
        return False
    return torch.equal(product, _product_of(FLOAT64, rows, columns))


def _product_of(backend: Backend, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Return the product of int32 matrices."""
    return backend.multiply(backend.split(rows), backend.split(columns))
