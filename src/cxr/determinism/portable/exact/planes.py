"""Backends of the exact product of integers: float64 GEMM and int8 GEMM give the same numbers.

A backend splits integers of at most ``2^19`` in magnitude into planes that its GEMM takes, and
multiplies planes. Which one runs is a matter of speed alone, and is measured once.

**float64.** One plane. A product of two operands is at most ``2^38``, and any sum of at most
``2^14`` of them at most ``2^52``; every integer up to ``2^53`` is a float64. So each partial sum is
exact, whatever the order, the blocking and the fusing of multiplication and addition.

**int8.** Three planes of digits to base 128, ``q = d0 + 2^7 d1 + 2^14 d2``: of ``u = q + 64 + 64 *
128`` the lowest seven bits less 64 are d0, the next seven less 64 are d1, the rest is d2. d0 and d1
lie in [-64, 63] by that, and d2 in [-32, 32], because ``2^19 + 8256 < 33 * 2^14``. No instruction
saturates within these bounds: those that add pairs of products in 16 bits take one operand without
a sign, which libraries shift by 128, and ``2 * (63 + 128) * 64 < 2^15``. A sum of K products of
digits is at most ``2^12 K``; with ``S_s`` the sum of the products whose planes ``i + j = s``,

    |S_0| <= 2^12 K,  |S_1|, |S_2| <= 2^13 K,  |S_3| <= 2^12 K,  |S_4| <= 2^10 K,

all below ``2^31`` for ``K <= 2^14``: exact in int32, in any order. The product is ``S_0 + 2^7 S_1 +
2^14 S_2 + 2^21 S_3 + 2^28 S_4``. Added in float64 from the right, each partial result is an integer
of at most ``2^38 K (1 + 2^-4) < 2^53``. So that is exact as well, and is what the float64 backend
gives. ``S_0 + 2^7 S_1`` and ``S_2 + 2^7 S_3`` may first be added in int32 where
``2^12 K (1 + 2^8) < 2^31``.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from typing import Final, Protocol

import torch

from cxr.errors import UsageError

_DIGIT_BITS: Final = 7
_NUM_DIGITS: Final = 3
_BASE: Final = 2**_DIGIT_BITS
_HALF: Final = _BASE // 2
_OFFSET: Final = _HALF + _HALF * _BASE

_LARGEST: Final = (_HALF - 1) * (1 + _BASE)
"""The number whose lower digits are 63; those of ``-_OFFSET`` are -64."""

_LONGEST_IN_PAIRS: Final = (2**31 - 1) // (2**12 * (1 + 2**8))
"""Inner length up to which the sums of two weights are added in int32."""

_WIDE_ABOVE: Final = 8
"""Inner lengths of more than eight times the columns: nine narrow sums cost less than copies."""


_TRIAL_SHAPE: Final = (1024, 1024, 128)
"""Rows, inner length and columns of the product that is measured, as convolutions have them."""


class Backend(Protocol):
    """Multiplies integers of at most ``2^19`` in magnitude without an error."""

    @property
    def name(self) -> str:
        """What ``use_backend`` calls it."""

    def split(self, integers: torch.Tensor) -> torch.Tensor:
        """Return planes of shape ``(D, *integers.shape)`` from int32, each laid out like these."""

    def multiply(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the product, float64 ``(M, N)``, of planes ``(D, M, K)`` and ``(D, K, N)``.

        K is at most ``CHUNK``. Zeros are positive.
        """

    def multiply_batched(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Return the products, float64 ``(B, M, N)``, of ``(D, B, M, K)`` and ``(D, B, K, N)``."""


class _Float64:
    """One GEMM in float64."""

    name: Final = "float64"

    def split(self, integers: torch.Tensor) -> torch.Tensor:
        return integers.to(torch.float64).unsqueeze(0)

    def multiply(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        # -1 * 0 is a negative zero, which one library keeps and another adds to a positive one.
        return torch.mm(a[0], b[0]).add_(0.0)

    def multiply_batched(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.bmm(a[0], b[0]).add_(0.0)


class _Int8:
    """The nine products of digits by GEMMs of int8 with sums in int32."""

    name: Final = "int8"

    def split(self, integers: torch.Tensor) -> torch.Tensor:
        shifted = integers + _OFFSET
        planes = torch.empty_strided(
            (_NUM_DIGITS, *shifted.shape),
            (shifted.numel(), *shifted.stride()),
            dtype=torch.int8,
            device=shifted.device,
        )
        for plane in planes[:-1]:
            # The conversion keeps the lowest eight bits.
            plane.copy_(shifted).bitwise_and_(_BASE - 1).sub_(_HALF)
            shifted >>= _DIGIT_BITS
        planes[-1].copy_(shifted)
        return planes

    def multiply(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        _, num_rows, inner = a.shape
        num_columns = b.shape[2]
        if not a.numel() or not b.numel():
            return a.new_zeros((num_rows, num_columns), dtype=torch.float64)
        # Rows whose digits lie side by side already, as those of windows do, need no copy.
        lies_side_by_side = a.stride(0) < a.stride(1)
        is_wide = inner > _WIDE_ABOVE * num_columns and not lies_side_by_side
        add = _add_wide if is_wide else _add_side_by_side
        return _recombine(add(a, b), inner)

    def multiply_batched(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        _, num_matrices, num_rows, _ = a.shape
        products = a.new_empty((num_matrices, num_rows, b.shape[3]), dtype=torch.float64)
        for index, product in enumerate(products):
            product.copy_(self.multiply(a[:, index], b[:, index]))
        return products


def _multiply_digits(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Return the int32 product of int8 matrices."""
    return torch._int_mm(rows, columns)  # noqa: SLF001  # it has no public name


def _add_wide(a: torch.Tensor, b: torch.Tensor) -> list[torch.Tensor]:
    """Return ``S_0 ... S_4`` from one GEMM of all rows and all columns; for small results."""
    num_rows, num_columns = a.shape[1], b.shape[2]
    rows = a.contiguous().view(-1, a.shape[2])
    columns = b.transpose(0, 1).reshape(b.shape[1], -1)
    nine = _multiply_digits(rows, columns).view(_NUM_DIGITS, num_rows, _NUM_DIGITS, num_columns)
    return [
        nine[0, :, 0],
        nine[0, :, 1] + nine[1, :, 0],
        (nine[0, :, 2] + nine[1, :, 1]).add_(nine[2, :, 0]),
        nine[1, :, 2] + nine[2, :, 1],
        nine[2, :, 2],
    ]


def _add_side_by_side(a: torch.Tensor, b: torch.Tensor) -> list[torch.Tensor]:
    """Return ``S_0 ... S_4`` from five GEMMs, with the digits side by side in the inner dimension.

    The rows hold digits 0, 1, 2 and the columns 2, 1, 0: what stands face to face has one weight.
    """
    inner = a.shape[2]
    rows = a.transpose(0, 1).reshape(a.shape[1], -1)
    columns = b.flip(0)
    if b.stride(1) == 1:
        # Columns that lie one after the other stay so: bytes are slow to transpose.
        columns = columns.permute(2, 0, 1).reshape(b.shape[2], -1).t()
    else:
        columns = columns.reshape(-1, b.shape[2])
    sums = []
    for weight in range(-2, 3):
        first, last = max(0, weight) * inner, (_NUM_DIGITS + min(0, weight)) * inner
        facing = max(0, -weight) * inner
        length = last - first
        sums.append(_multiply_digits(rows[:, first:last], columns[facing : facing + length]))
    return sums


def _recombine(sums: list[torch.Tensor], inner: int) -> torch.Tensor:
    """Return ``S_0 + 2^7 S_1 + ...`` in float64; some of the sums are overwritten."""
    base = _BASE
    if inner <= _LONGEST_IN_PAIRS:
        sums = [sums[1].mul_(base).add_(sums[0]), sums[3].mul_(base).add_(sums[2]), sums[4]]
        base = _BASE**2
    total = sums[-1].to(torch.float64)
    for part in reversed(sums[:-1]):
        total = total.mul_(base).add_(part)
    return total


FLOAT64: Final[Backend] = _Float64()
INT8: Final[Backend] = _Int8()
_BACKENDS: Final = {backend.name: backend for backend in (FLOAT64, INT8)}


VARIABLE: Final = "CXR_PORTABLE_PRODUCTS"
"""Environment variable that names the backend; it changes no bits."""


class _Choice:
    """The backend of this process: one for all of its threads, for autograd has its own."""

    backend: Backend | None = None


def current_backend() -> Backend:
    """Return the backend that products are computed with; the first call measures."""
    if _Choice.backend is None:
        _Choice.backend = _find_named() or choose_backend()
    return _Choice.backend


def _find_named() -> Backend | None:
    """Return the backend that `VARIABLE` names, None where it is not set.

    Raises:
        UsageError: It names none.
    """
    name = os.environ.get(VARIABLE)
    if name is None:
        return None
    if name not in _BACKENDS:
        raise UsageError(
            f"no backend is called {name!r}",
            where=VARIABLE,
            hint=f"set it to {' or '.join(_BACKENDS)}, or unset it to have it measured",
        )
    return _BACKENDS[name]


def backend_of(planes: torch.Tensor) -> Backend:
    """Return the backend that split ``planes``: it may be another than the current one."""
    return FLOAT64 if len(planes) == 1 else INT8


@contextlib.contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Compute the block with the backend ``name``: ``float64`` or ``int8``.

    Raises:
        KeyError: There is none of that name.
    """
    before = _Choice.backend
    _Choice.backend = _BACKENDS[name]
    try:
        yield
    finally:
        _Choice.backend = before


def choose_backend() -> Backend:
    """Return the faster backend on this machine, for a product such as convolutions have.

    int8 is taken only where it gives the right integers for the largest digits.
    """
    num_rows, inner, num_columns = _TRIAL_SHAPE
    ramp = torch.arange(num_rows * inner).mul_(0x9E37).remainder_(2**20 + 1).sub_(2**19)
    rows = ramp.to(torch.int32).view(num_rows, inner)
    columns = rows[:num_columns].t().contiguous()
    # Digits of 63 against digits of -64, all of them: what saturates first.
    rows[0], columns[:, 0] = _LARGEST, -_OFFSET
    product = _product_of(FLOAT64, rows, columns)
    try:
        right = torch.equal(_product_of(INT8, rows, columns), product)
    except RuntimeError:
        # This torch has no such GEMM for this machine.
        right = False
    if not right:
        return FLOAT64
    times = {backend.name: _time_product(backend, rows, columns) for backend in (FLOAT64, INT8)}
    return _BACKENDS[min(times, key=lambda name: times[name])]


def _product_of(backend: Backend, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Return the product of int32 matrices."""
    return backend.multiply(backend.split(rows), backend.split(columns))


def _time_product(backend: Backend, rows: torch.Tensor, columns: torch.Tensor) -> float:
    """Return the least time of three products, in seconds."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        _product_of(backend, rows, columns)
        times.append(time.perf_counter() - start)
    return min(times)
