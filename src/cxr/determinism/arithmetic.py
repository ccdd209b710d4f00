"""The context that initialisation, training steps and evaluation compute in.

One place where a level takes hold of the arithmetic: it names every op that has no deterministic
kernel, as an error under ``strict`` and as an entry of the manifest under ``warn``. Under
``portable`` no op is left to the machine's own kernels: see `cxr.determinism.portable`.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Final

from cxr.determinism.levels import Level
from cxr.errors import DeterminismError

# Source: torch's message in aten/src/ATen/Context.cpp, alertNotDeterministic.
_NO_KERNEL: Final = re.compile(r"^(?P<op>\S+) does not have a deterministic implementation")
# Source: alertCuBLASConfigNotDeterministic, same file.
_CUBLAS: Final = re.compile(r"^Deterministic behavior was enabled .*CuBLAS", re.DOTALL)


def name_nondeterministic_op(message: str) -> str | None:
    """Return the op that torch's message says is not deterministic, or None."""
    if match := _NO_KERNEL.match(message):
        return match["op"]
    return "cuBLAS" if _CUBLAS.match(message) else None


@contextlib.contextmanager
def arithmetic(
    level: Level, *, slices: int, ops_without_kernel: Counter[str], where: str
) -> Iterator[None]:
    """Compute the block at ``level``.

    Args:
        level: The promise.
        slices: Under ``portable``, how many slices each operand of a product has.
        ops_without_kernel: Counts, by op, the calls that torch warned about; added to.
        where: What is being computed, for an error (``step 12``).

    Raises:
        DeterminismError: Under ``strict``, an op without a deterministic kernel was called; under
            ``portable``, one that has no portable form.
    """
    try:
        if level is Level.WARN:
            with _counted_warnings(ops_without_kernel):
                yield
        elif level is Level.PORTABLE:
            # Imported only where it computes: the other levels need none of it.
            from cxr.determinism.portable.mode import portable_arithmetic

            with portable_arithmetic(where, slices=slices):
                yield
        else:
            yield
    except RuntimeError as error:
        op = name_nondeterministic_op(str(error))
        if op is None:
            raise
        raise DeterminismError(
            f"{op} has no deterministic implementation on this device",
            where=where,
            hint="choose a model or device without it, or use determinism: warn to have it named",
        ) from error


@contextlib.contextmanager
def _counted_warnings(ops: Counter[str]) -> Iterator[None]:
    """Count warnings that name an op without a deterministic kernel; show all others as usual."""
    with warnings.catch_warnings(record=True) as caught:
        # Python shows a repeated warning once; each call counts here.
        warnings.simplefilter("always")
        try:
            yield
        finally:
            others = []
            for warning in caught:
                op = name_nondeterministic_op(str(warning.message))
                if op is None:
                    others.append(warning)
                else:
                    ops[op] += 1
    for other in others:
        warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
