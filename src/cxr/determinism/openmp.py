"""How many threads an OpenMP library will really give to an op.

``torch.get_num_threads()`` returns what was asked for. A limit on threads or on nested teams makes
the team smaller without a word, and sums are then taken in other parts.
"""

from __future__ import annotations

import ctypes

_OPENMP = "openmp"


def count_team_threads(asked: int) -> int:
    """Return how many threads a team gets when ``asked`` are asked for.

    Every OpenMP library in this process is asked; without one, nothing limits a team.

    Source: OpenMP 5.2, sections on ``omp_get_thread_limit`` and ``omp_get_max_active_levels``.
    """
    import threadpoolctl

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
