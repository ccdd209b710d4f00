"""Thread pools of the libraries that compute: how many threads an op will really get.

``torch.get_num_threads()`` returns what was asked for. A limit on threads or on nested teams makes
an OpenMP team smaller without a word, and sums are then taken in other parts; NumPy's BLAS has a
pool of its own, as large as the machine.
"""

from __future__ import annotations

import ctypes
from typing import Final

import threadpoolctl

_OPENMP: Final = "openmp"


def set_pool_threads(threads: int) -> None:
    """Give every pool of this process the same number of threads, whenever it was loaded."""
    threadpoolctl.threadpool_limits(limits=threads)


def count_pool_threads(asked: int) -> int:
    """Return the number of threads of a pool that has not ``asked`` threads, or else ``asked``."""
    counts = {int(pool["num_threads"]) for pool in threadpoolctl.threadpool_info()}
    return min(counts - {asked}, default=asked)


def count_team_threads(asked: int) -> int:
    """Return how many threads an OpenMP team gets when ``asked`` are asked for.

    Every OpenMP library in this process is asked; without one, nothing limits a team.

    Source: OpenMP 5.2, sections on ``omp_get_thread_limit`` and ``omp_get_max_active_levels``.
    """
    allowed = asked
    for pool in threadpoolctl.threadpool_info():
        if pool["user_api"] != _OPENMP:
            continue
        # Loaded already: this only looks its functions up.
        library = ctypes.CDLL(pool["filepath"])
        allowed = min(allowed, library.omp_get_thread_limit())
        if library.omp_get_max_active_levels() < 1:
            allowed = 1
    return allowed
