"""Switches that are environment variables: they act only if set before a library reads them.

`PYTHONHASHSEED` is read when the interpreter starts, so the console entry re-executes itself once
with all of them in place. The thread counts are part of the recipe and follow when it is known,
which is before torch is imported.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from cxr.determinism.numerical_variables import (
    CHOSEN_NAMES,
    FAMILIES,
    KNOWN_NAMES,
    PLACE_NAMES,
)
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

REMOVED_VARIABLES: Final = (
    # Caps on teams of threads that no library reports: the recipe's count would be a mere wish.
    # Source: OpenMP 5.2, "Environment Variables".
    "OMP_THREAD_LIMIT",
    "OMP_MAX_ACTIVE_LEVELS",
    "OMP_NESTED",
    "KMP_ALL_THREADS",
    "KMP_DEVICE_THREAD_LIMIT",
    "KMP_TEAMS_THREAD_LIMIT",
    # Thread counts of their own for parts of MKL.
    "MKL_DOMAIN_NUM_THREADS",
)
"""Variables that may not be set, because they would overrule the recipe unseen."""

OWN_VARIABLES: Final = (*FIXED_VARIABLES, *THREAD_VARIABLES, *REMOVED_VARIABLES)
"""Every variable that cxr itself decides about."""

HARMLESS_VARIABLES: Final = (
    "GOMP_CPU_AFFINITY",
    "GOMP_SPINCOUNT",
    "KMP_AFFINITY",
    "KMP_BLOCKTIME",
    "KMP_SETTINGS",
    "KMP_WARNINGS",
    "MKL_VERBOSE",
    "DNNL_VERBOSE",
    "ONEDNN_VERBOSE",
    "OMP_DISPLAY_AFFINITY",
    "OMP_DISPLAY_ENV",
    "OMP_PLACES",
    "OMP_PROC_BIND",
    "OMP_STACKSIZE",
    "OMP_WAIT_POLICY",
)
"""Variables of those families that say where and how long threads wait, never what they compute."""

_PLAIN_VALUE: Final = re.compile(r"[\w.,:;=+\-{}()* ]{0,200}", re.ASCII)
_PLAIN_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}", re.ASCII)
_SECRET_NAME: Final = re.compile(r"TOKEN|SECRET|PASS|CREDENTIAL|KEY")
NOT_RECORDED: Final = "not_recorded"


def interpreter_is_prepared(variables: Mapping[str, str]) -> bool:
    """Say whether the variables that cxr decides about are right, so that nothing needs doing."""
    return all(variables.get(name) == value for name, value in FIXED_VARIABLES.items()) and not any(
        name in variables for name in REMOVED_VARIABLES
    )


def reexecute_prepared(arguments: Sequence[str]) -> None:
    """Start this very process again with the fixed variables set; return if they are.

    The process keeps its number, its open files and its terminal.

    Args:
        arguments: ``sys.orig_argv``.
    """
    if interpreter_is_prepared(os.environ):
        return
    kept = {name: value for name, value in os.environ.items() if name not in REMOVED_VARIABLES}
    # A signal that comes before the new interpreter is up waits for it.
    with blocked():
        os.execve(sys.executable, list(arguments), {**kept, **FIXED_VARIABLES})  # noqa: S606


def set_variables(*, threads: int) -> None:
    """Set the fixed variables and the thread counts for libraries that are loaded from now on."""
    for name in REMOVED_VARIABLES:
        os.environ.pop(name, None)
    os.environ.update(FIXED_VARIABLES)
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))


def read_variables() -> dict[str, str | None]:
    """Return every variable that may change bits, as it stands.

    Those that cxr decides about are always there, None where one is not set. The others are the
    user's own choices, there if set, recorded and never changed: instruction sets
    (``ATEN_CPU_CAPABILITY``, ``ONEDNN_MAX_CPU_ISA``, ``MKL_CBWR``), kernels, how threads wait. Of
    these a value that might hold a path or a secret is not repeated, and none of a name that no
    library's manual has: only that it is set.
    """
    found: dict[str, str | None] = {name: os.environ.get(name) for name in OWN_VARIABLES}
    for name, value in os.environ.items():
        if name not in found and _is_recorded(name):
            told = name in KNOWN_NAMES or name in CHOSEN_NAMES
            found[name] = value if told and _PLAIN_VALUE.fullmatch(value) else NOT_RECORDED
    return dict(sorted(found.items()))


def _is_recorded(name: str) -> bool:
    """Say whether it is recorded that a variable is set."""
    if name in KNOWN_NAMES or name in CHOSEN_NAMES or name in PLACE_NAMES:
        return True
    named_like_one = name.startswith(FAMILIES) and _PLAIN_NAME.fullmatch(name)
    return bool(named_like_one) and not _SECRET_NAME.search(name)


def may_be_set_again(name: str, value: str) -> bool:
    """Say whether a variable that some record names is one that `read_variables` would repeat.

    A record may come from anywhere: it chooses kernels, and neither modules nor libraries to load.
    """
    told = name in KNOWN_NAMES or name in CHOSEN_NAMES
    plain = _PLAIN_VALUE.fullmatch(value) is not None and value != NOT_RECORDED
    return told and plain and name not in OWN_VARIABLES
