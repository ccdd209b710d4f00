"""Working ahead on threads: nothing is forked, and order never depends on them.

Each job is a function of its own argument alone, so any number of workers gives the same results in
the same order. Threads suffice because reading, hashing, decoding and NumPy's copying let go of the
interpreter; see ``docs/adr/0002-threads-prepare-batches.md``. Few jobs wait at a time: neither
memory nor an interrupt has to wait for a whole data set.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

_AHEAD_PER_WORKER: Final = 2

Job = TypeVar("Job")
Result = TypeVar("Result")


def prefetch(
    prepare: Callable[[Job], Result], jobs: Iterable[Job], *, workers: int
) -> Iterator[Result]:
    """Yield ``prepare(job)`` of each job, in order.

    Args:
        prepare: A function of its argument alone.
        jobs: Its arguments.
        workers: Threads that work ahead; 0 prepares each one when it is asked for. At most
            two results a worker wait in memory.
    """
    if workers == 0:
        yield from map(prepare, jobs)
        return
    pool = ThreadPoolExecutor(workers, thread_name_prefix="cxr-ahead")
    waiting: deque[Future[Result]] = deque()
    try:
        for job in jobs:
            waiting.append(pool.submit(prepare, job))
            if len(waiting) > workers * _AHEAD_PER_WORKER:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
