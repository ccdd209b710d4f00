"""Global generators: third-party code draws from them, so they are re-seeded where it may."""

from __future__ import annotations

import contextlib
import importlib
import random
import sys
from typing import Final

from cxr.determinism.streams import MAX_SEED, derive_seed
from cxr.errors import UsageError

_NUMPY_SEED_BITS: Final = 32


def seed_everything(seed: int) -> dict[str, int]:
    """Seed Python, NumPy and torch, whichever are installed, from one root seed.

    Each library gets a seed of its own, derived from ``seed``, so that no two of them run in step.
    Works without NumPy and without torch. It does not set determinism switches: those are part of
    a run's recipe.

    Args:
        seed: The root seed, from 0 to 2^64 - 1.

    Returns:
        The seed that each library was given.

    Raises:
        UsageError: ``seed`` is out of range.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise UsageError(
            f"the seed {seed!r} is not a whole number from 0 to {MAX_SEED}",
            where="cxr.seed_everything",
            hint="give a whole number such as 42",
        )
    for library in ("numpy", "torch"):
        with contextlib.suppress(ImportError):
            importlib.import_module(library)
    seeds = {
        library: derive_seed(seed, "global", library)
        for library in ("python", "numpy", "torch")
        if library == "python" or sys.modules.get(library)
    }
    _seed_libraries(seeds)
    return {name: _fit_seed(name, value) for name, value in seeds.items()}


def seed_global_generators(seed: int) -> None:
    """Give every loaded library's global generator the same derived ``seed``."""
    _seed_libraries(dict.fromkeys(("python", "numpy", "torch"), seed))


def _seed_libraries(seeds: dict[str, int]) -> None:
    """Seed the libraries that are loaded."""
    random.seed(seeds["python"])
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(_fit_seed("numpy", seeds["numpy"]))
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seeds["torch"])


def _fit_seed(library: str, seed: int) -> int:
    """Cut a 64-bit seed to what the library takes."""
    return seed % 2**_NUMPY_SEED_BITS if library == "numpy" else seed
