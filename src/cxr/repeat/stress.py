"""What must not matter, varied from run to run: each draw comes from a stream, so it repeats.

None of it is a fact that affects bits at any level: a run under stress is one of the same recipe in
the same environment, or this module is wrong.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeVar

from cxr.config.schema import RunConfig
from cxr.determinism.streams import Stream, derive_stream
from cxr.repeat.plan import RunPlan, Surroundings, name_nth_run

PADDING: Final = "CXR_STRESS_PADDING"
"""A variable that nobody reads: the environment's size moves the stack."""

_Choice = TypeVar("_Choice")

_LOADS: Final[Sequence[tuple[str, ...]]] = (
    ("compute",),
    ("memory", "memory"),
    ("compute", "compute", "memory"),
    ("compute", "compute", "compute", "compute"),
)
_MAX_WORKERS: Final = 4
_MAX_PADDING_BYTES: Final = 2**16
_MAX_TOP_PAD_BYTES: Final = 2**22
_MMAP_EXPONENTS: Final = (12, 25)
"""Of the size in bytes from which memory is mapped. glibc takes 2^25 at most.

Source: the manual page of mallopt, M_MMAP_THRESHOLD.
"""
_MAX_ARENAS: Final = 8
_LOCALES: Final = ("C", "C.UTF-8", "de_DE.UTF-8", "tr_TR.UTF-8", "ja_JP.eucJP")
"""Other decimal signs, other letters, other encodings; one that is not installed acts as C."""
_ZONES: Final = ("Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati", "UTC")
_UMASK: Final = 0o077
"""Never more open than what a user chose."""


def plan_stressed_runs(config: RunConfig, num_runs: int) -> Sequence[RunPlan]:
    """Return plans of runs that must be equal; the first is as it would be without stress.

    Args:
        config: The recipe; its seed is the root of what is drawn.
        num_runs: How many.
    """
    first = RunPlan(name=name_nth_run(1), config=config)
    return [first, *(_plan_run(config, number) for number in range(2, num_runs + 1))]


def _plan_run(config: RunConfig, number: int) -> RunPlan:
    stream = derive_stream(config.seed, "stress", number)
    other_workers = [n for n in range(_MAX_WORKERS + 1) if n != config.workers]
    # These go round from where a draw begins, so that runs behind each other have others.
    begins = derive_stream(config.seed, "stress", "begins")

    def go_round(choices: Sequence[_Choice]) -> _Choice:
        return choices[(begins.below(len(choices)) + number) % len(choices)]

    load, workers = go_round(_LOADS), go_round(other_workers)
    locale, zone = go_round(_LOCALES), go_round(_ZONES)
    hash_seed = stream.below(2**32)
    order_seed, padding_bytes = stream.uint64(), 1 + stream.below(_MAX_PADDING_BYTES)
    malloc = _draw_malloc(stream)
    # The second run has it all, so that two are enough to vary each.
    is_relative, in_root, is_closed, on_terminal = (
        stream.below(2) == 1 or number == 2  # noqa: PLR2004 - see above
        for _ in range(4)
    )
    place = Path("/") if in_root else Path(tempfile.gettempdir())
    return RunPlan(
        name=name_nth_run(number),
        config=config.model_copy(update={"workers": workers}),
        variables={
            "PYTHONHASHSEED": str(hash_seed),
            PADDING: "x" * padding_bytes,
            **malloc,
            "LANG": locale,
            "LC_ALL": locale,
            "TZ": zone,
        },
        working_directory=place,
        surroundings=Surroundings(
            relative_paths=is_relative,
            order_seed=order_seed,
            umask=_UMASK if is_closed else None,
            on_terminal=on_terminal,
            load=load,
        ),
        varied=(
            f"load: {', '.join(f'{load.count(kind)} x {kind}' for kind in dict.fromkeys(load))}",
            f"PYTHONHASHSEED={hash_seed}",
            f"workers={workers}",
            f"working directory: {'the root' if in_root else 'that of temporary files'}",
            f"paths: {'relative' if is_relative else 'absolute'}",
            f"environment: in another order, {padding_bytes} bytes larger",
            *(f"{name}={value}" for name, value in malloc.items()),
            f"LANG and LC_ALL={locale}",
            f"TZ={zone}",
            f"umask: {f'{_UMASK:03o}' if is_closed else 'as it is'}",
            f"standard streams: {'a terminal' if on_terminal else 'no terminal'}",
        ),
    )


def _draw_malloc(stream: Stream) -> dict[str, str]:
    """Return how glibc's malloc takes, cuts and fills memory; another libc passes it over.

    Source: the manual page of mallopt, environment variables.
    """
    low, high = _MMAP_EXPONENTS
    return {
        # Fresh memory holds this byte's complement, and what was freed the byte.
        "MALLOC_PERTURB_": str(1 + stream.below(255)),
        "MALLOC_TOP_PAD_": str(stream.below(_MAX_TOP_PAD_BYTES)),
        "MALLOC_MMAP_THRESHOLD_": str(2 ** (low + stream.below(high - low + 1))),
        "MALLOC_ARENA_MAX": str(1 + stream.below(_MAX_ARENAS)),
    }
