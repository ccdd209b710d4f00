"""Switches that are environment variables: they act only if set before a library reads them.

`PYTHONHASHSEED` is read when the interpreter starts, so the console entry re-executes itself once
with all of them in place. The thread counts are part of the recipe and follow when it is known,
which is before torch is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from cxr.interruption import blocked

FIXED_VARIABLES: Final[dict[str, str]] = {
    # Set iteration order of strings. Source: docs.python.org, "PYTHONHASHSEED".
    "PYTHONHASHSEED": "0",
    # cuBLAS is deterministic across streams only with a fixed workspace.
    # Source: cuBLAS documentation, "Results reproducibility".
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    # Overrides every TF32 setting of every CUDA library. Source: cuBLAS documentation.
    "NVIDIA_TF32_OVERRIDE": "0",
    # oneDNN may otherwise be told to round float32 to bfloat16. Source: oneDNN, "Floating-point
    # math mode".
    "ONEDNN_DEFAULT_FPMATH_MODE": "STRICT",
    # MKL and OpenMP may otherwise take fewer threads when the machine is busy.
    "MKL_DYNAMIC": "FALSE",
    "OMP_DYNAMIC": "FALSE",
}
"""Variables with one value at every level, and why."""

THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Variables that hold the recipe's thread count."""

LEFT_AS_FOUND: Final = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR")
"""Variables that choose instruction sets: the user's choice, recorded and never changed."""


def interpreter_is_prepared(variables: Mapping[str, str]) -> bool:
    """Say whether every fixed variable has its value, so that nothing needs re-executing."""
    return all(variables.get(name) == value for name, value in FIXED_VARIABLES.items())


def reexecute_prepared(arguments: Sequence[str]) -> None:
    """Start this very process again with the fixed variables set; return if they are.

    The process keeps its number, its open files and its terminal.

    Args:
        arguments: ``sys.orig_argv``.
    """
    if interpreter_is_prepared(os.environ):
        return
    # A signal that comes before the new interpreter is up waits for it.
    with blocked():
        os.execve(sys.executable, list(arguments), {**os.environ, **FIXED_VARIABLES})  # noqa: S606


def set_variables(*, threads: int) -> None:
    """Set the fixed variables and the thread counts for libraries that are loaded from now on."""
    os.environ.update(FIXED_VARIABLES)
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))


def read_variables() -> dict[str, str | None]:
    """Return every variable of this module as it stands; None where it is not set."""
    names = [*FIXED_VARIABLES, *THREAD_VARIABLES, *LEFT_AS_FOUND]
    return {name: os.environ.get(name) for name in sorted(names)}
