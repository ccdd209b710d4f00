"""Torch's determinism switches: set, read back, and refused in ``strict`` when one did not take."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from typing import Any, Final

from cxr.determinism.float32_precision import (
    ABSENT,
    FLOAT32_SWITCHES,
    IEEE,
    read_float32_precision,
    read_older_switch,
    set_float32_precision,
)
from cxr.determinism.levels import Level
from cxr.determinism.thread_pools import (
    count_pool_threads,
    count_team_threads,
    set_pool_threads,
)
from cxr.determinism.variables import (
    FIXED_VARIABLES,
    OWN_VARIABLES,
    REMOVED_VARIABLES,
    THREAD_VARIABLES,
    read_variables,
    set_variables,
)
from cxr.errors import DeterminismError

Controls = dict[str, str | int | bool | None]

# More elements than one thread takes of an elementwise op (32,768), for every thread there may be.
_PROBE_ELEMENTS_PER_THREAD: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlan:
    """What the recipe asks of the machine.

    Attributes:
        level: The promise.
        threads: Threads inside one op.
        fill_memory: Whether torch fills fresh memory, so that reading it uninitialised repeats.
    """

    level: Level
    threads: int
    fill_memory: bool


def derive_wanted(plan: ControlPlan) -> Controls:
    """Return the value that each switch must read back."""
    return {
        **FIXED_VARIABLES,
        **dict.fromkeys(THREAD_VARIABLES, str(plan.threads)),
        **dict.fromkeys(REMOVED_VARIABLES),
        "hash_randomization": False,
        "torch.num_threads": plan.threads,
        "thread_pools.num_threads": plan.threads,
        "torch.num_interop_threads": 1,
        "torch.deterministic_algorithms": True,
        "torch.deterministic_warn_only": plan.level is Level.WARN,
        "torch.fill_uninitialized_memory": plan.fill_memory,
        "torch.float32_matmul_precision": "highest",
        "torch.default_dtype": "float32",
        "torch.denormals_kept": True,
        "cudnn.deterministic": True,
        "cudnn.benchmark": False,
        "cudnn.allow_tf32": False,
        "cuda.matmul.allow_tf32": False,
        "cuda.matmul.allow_fp16_reduced_precision_reduction": False,
        "cuda.matmul.allow_bf16_reduced_precision_reduction": False,
        **dict.fromkeys(FLOAT32_SWITCHES, IEEE),
    }


def set_early_variables(plan: ControlPlan) -> None:
    """Set what libraries read when they are loaded, for work that is done before torch is needed.

    Where torch is there already nothing is set, for `set_controls` to say what came too late.
    """
    if "torch" not in sys.modules:
        set_variables(threads=plan.threads)


def set_controls(plan: ControlPlan) -> Controls:
    """Set every switch, read it back, and return what was read.

    Called before the first tensor is computed: thread pools, cuBLAS handles and the denormal mode
    of worker threads cannot be changed afterwards.

    Raises:
        DeterminismError: Under ``strict``, a switch did not take, or torch was imported before
            the environment variables could act.
    """
    late = _variables_set_too_late(plan)
    set_variables(threads=plan.threads)

    import torch

    torch.set_num_threads(plan.threads)
    set_pool_threads(plan.threads)
    if torch.get_num_interop_threads() != 1:
        # Too late is told by reading back, with whatever else did not take.
        with contextlib.suppress(RuntimeError):
            torch.set_num_interop_threads(1)
    # Before any parallel work: later it would reach this thread alone.
    torch.set_flush_denormal(False)
    # `use_deterministic_algorithms` sets the same and imports torch's compiler to tell it, which
    # takes a second and a half; nothing is compiled here.
    torch.set_deterministic_debug_mode("warn" if plan.level is Level.WARN else "error")
    deterministic: Any = torch.utils.deterministic
    deterministic.fill_uninitialized_memory = plan.fill_memory
    torch.set_float32_matmul_precision("highest")
    torch.set_default_dtype(torch.float32)
    torch.set_warn_always(plan.level is Level.WARN)
    cudnn: Any = torch.backends.cudnn
    cudnn.deterministic = True
    cudnn.benchmark = False
    cudnn.allow_tf32 = False
    matmul: Any = torch.backends.cuda.matmul
    matmul.allow_tf32 = False
    matmul.allow_fp16_reduced_precision_reduction = False
    matmul.allow_bf16_reduced_precision_reduction = False
    # Last: the older switches above reset some of these.
    set_float32_precision()

    found = read_controls()
    if plan.level is not Level.WARN:
        verify_controls(plan, found, late=late)
    return found


def read_controls() -> Controls:
    """Return every switch as the libraries themselves report it; torch must be imported."""
    import torch

    cudnn: Any = torch.backends.cudnn
    matmul: Any = torch.backends.cuda.matmul
    deterministic: Any = torch.utils.deterministic
    return {
        **read_variables(),
        "hash_randomization": bool(sys.flags.hash_randomization),
        "torch.num_threads": count_team_threads(torch.get_num_threads()),
        "thread_pools.num_threads": count_pool_threads(torch.get_num_threads()),
        "torch.num_interop_threads": torch.get_num_interop_threads(),
        "torch.deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "torch.deterministic_warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
        "torch.fill_uninitialized_memory": deterministic.fill_uninitialized_memory,
        "torch.float32_matmul_precision": read_older_switch(torch.get_float32_matmul_precision),
        "torch.default_dtype": str(torch.get_default_dtype()).removeprefix("torch."),
        "torch.denormals_kept": _probe_denormals(),
        "torch.cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "torch.mkldnn_enabled": bool(torch.backends.mkldnn.enabled),
        "cudnn.deterministic": cudnn.deterministic,
        "cudnn.benchmark": cudnn.benchmark,
        "cudnn.allow_tf32": read_older_switch(lambda: cudnn.allow_tf32),
        "cuda.matmul.allow_tf32": read_older_switch(lambda: matmul.allow_tf32),
        "cuda.matmul.allow_fp16_reduced_precision_reduction": (
            matmul.allow_fp16_reduced_precision_reduction
        ),
        "cuda.matmul.allow_bf16_reduced_precision_reduction": (
            matmul.allow_bf16_reduced_precision_reduction
        ),
        **read_float32_precision(),
    }


def find_untaken(plan: ControlPlan, found: Controls) -> list[str]:
    """Return a line for each switch that does not read back as ``plan`` wants it."""
    return [
        f"{name} is {found.get(name)!r}, wanted {wanted!r}"
        for name, wanted in derive_wanted(plan).items()
        if found.get(name) != wanted
        # An older torch has fewer switches, and does what the older ones say.
        and not (name in FLOAT32_SWITCHES and found.get(name) == ABSENT)
    ]


def verify_controls(plan: ControlPlan, found: Controls, *, late: list[str] | None = None) -> None:
    """Refuse to go on when a switch did not take.

    Raises:
        DeterminismError: Naming every such switch.
    """
    untaken = find_untaken(plan, found)
    if late:
        untaken.append(f"set only after torch was imported: {', '.join(late)}")
    if untaken:
        raise DeterminismError(
            f"a determinism switch did not take: {'; '.join(untaken)}",
            where=f"determinism: {plan.level}",
            hint="start through the cxr command in a fresh process, or use determinism: warn",
        )


def require_device(device: str) -> None:
    """Refuse a device that is not there.

    Raises:
        DeterminismError: CUDA is asked for and torch finds none.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise DeterminismError(
            "the recipe asks for a CUDA device, and torch finds none",
            where="device: cuda",
            hint="run it where the GPU is, or set device: cpu (another recipe, other bits)",
        )


def _variables_set_too_late(plan: ControlPlan) -> list[str]:
    """Name the variables that have another value now and that torch has already read.

    Thread counts are not among them: `set_controls` sets those in torch itself.
    """
    if "torch" not in sys.modules:
        return []
    wanted = derive_wanted(plan)
    names = [name for name in OWN_VARIABLES if name not in THREAD_VARIABLES]
    return [name for name in names if os.environ.get(name) != wanted[name]]


def _probe_denormals() -> bool:
    """Say whether a product below the smallest normal float32 survives on every thread."""
    import torch

    num_elements = _PROBE_ELEMENTS_PER_THREAD * torch.get_num_threads()
    products = torch.full((num_elements,), 1e-30) * torch.full((num_elements,), 1e-10)
    return bool((products != 0).all())
