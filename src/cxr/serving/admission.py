"""How many requests are let in at once, in all and of one client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from cxr.serving.limits import Limits
from cxr.serving.problems import RETRY_AFTER, RefusedRequest


class Admission:
    """Counts requests that are under way: those being read, waiting or computed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def admitted(self, client: str) -> Iterator[None]:
        """Let a request in for the block.

        Raises:
            RefusedRequest: There is no place for it: 503, or 429 where this client has too many.
        """
        if self._under_way.total() >= self._limits.parallel:
            raise RefusedRequest(
                503,
                "busy",
                f"{self._limits.parallel} requests are under way; try again",
                headers=RETRY_AFTER,
            )
        most = self._limits.parallel_per_client
        if most is not None and self._under_way[client] >= most:
            raise RefusedRequest(
                429,
                "too-many-requests",
                f"{most} requests of this client are under way; wait for their answers",
                headers=RETRY_AFTER,
            )
        self._under_way[client] += 1
        try:
            yield
        finally:
            self._under_way[client] -= 1
            # No client that went away is remembered.
            self._under_way += Counter()
